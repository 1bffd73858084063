#include "lpu/explore/Session.h"

namespace lpu::explore {

Result<Session> openSession(const std::string &storePath) {
  Result<std::unique_ptr<Store>> store = Store::open(storePath, Store::Access::Read);
  if (!store)
    return store.error();
  const Result<std::optional<StoredStudy>> stored = (*store)->study();
  if (!stored)
    return stored.error();
  if (!*stored)
    return Error{storePath, "has no study; run one into it first"};
  const Result<StudyInputs> inputs = readInputs((*stored)->inputs);
  if (!inputs)
    return Error{storePath, inputs.error().message};
  Result<Study> study = studyOf(*inputs);
  if (!study)
    return study.error();
  Session session{
      std::move(*store), std::make_unique<Study>(std::move(*study)), (*stored)->build, inputFiles(*inputs), {}};
  session.inputs.push_back({"the store", storePath});
  Result<RunEnd> end = Explorer(*session.study, session.build, session.store.get(), nullptr).run();
  if (!end)
    return end.error();
  session.end = std::move(*end);
  return session;
}

Result<std::vector<Measured>> measuredOf(Session &session, const Row &row) {
  std::vector<Measured> jobs;
  for (const Job &job : makePoint(*session.study, row.values, session.build).jobs) {
    const Result<std::optional<StoredResult>> stored = session.store->find(job.key, Kind::Schedule);
    if (!stored)
      return stored.error();
    if (!*stored || (*stored)->outcome != Outcome::Done)
      return Error{session.store->path(), "has no result of that point"};
    Result<Measured> measured = readMeasured((*stored)->measured);
    if (!measured)
      return Error{session.store->path(), measured.error().message};
    jobs.push_back(std::move(*measured));
  }
  return jobs;
}

std::vector<std::size_t> frontierRows(const Study &study, const std::vector<Row> &rows) {
  std::vector<Score> scores;
  for (const Row &row : rows)
    scores.push_back(row.state == State::Done && !row.isSensitivity ? objectivesOf(study, *row.costs) : Score{});
  return frontier(scores);
}

} // namespace lpu::explore
