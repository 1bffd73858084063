// One generation as an answer of any dialect: hears of it from the engine, writes a stream or a body.
#pragma once

#include "RequestLog.h"
#include "lpu/serve/Service.h"

namespace lpu::serve {

class Reply final : public Listener {
public:
  /// `fields`: of the head, besides those of every answer.
  Reply(const Engine &engine, const Model &model, const Prepared &prepared, std::shared_ptr<Answer> answer,
        HttpFields fields, WriterMaker makeWriter, RequestLog *log);

  void accepted(const std::string &id, const Promise &promise, std::int64_t arrivalNs) override;
  void piece(const Piece &piece) override;
  void finished(unsigned choice, FinishReason reason, std::int64_t atNs) override;
  void embedding(unsigned choice, std::vector<float> vector) override;
  void done(const Usage &usage) override;
  void refused(const Refusal &refusal) override;
  /// The client has left, and the request of this id was given up.
  void left(const std::string &id);

private:
  void tell(std::string event, std::int64_t atNs);
  void note(const Usage &usage, int status, const std::string &code) const;
  Answer::Clock::time_point dueAt(std::int64_t ns) const;
  std::string ignoredNames() const;

  const Engine &engine;
  const Model &model;
  Request request;
  std::vector<std::string> echoes; ///< texts of the prompts, with echo
  std::shared_ptr<Answer> answer;
  HttpFields fields;
  WriterMaker makeWriter;
  RequestLog *log;                      ///< null: none
  std::string id;                       ///< once accepted
  std::unique_ptr<AnswerWriter> writer; ///< once accepted
  std::uint64_t promptTokens = 0;
  std::int64_t arrivalNs = 0, lastNs = 0;
  std::vector<Choice> choices;
  std::vector<std::vector<float>> vectors; ///< of embeddings
};

} // namespace lpu::serve
