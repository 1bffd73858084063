// lpu-run: runs a compiled program on the SystemC chip. Started several times by
// mpirun, the processes run it together; the first one talks.
#include "lpu/isa/Version.h"
#include "lpu/rt/Run.h"

#include <csignal>
#include <iostream>
#include <unistd.h>

/// A wrong command line is wrong on every rank, and rank 0 says so. The others end after it: whichever of them left
/// first, mpirun would end rank 0 with it, perhaps before it has said anything.
static int leaveTogether(const lpu::rt::ParsedCommandLine &parsed, bool talks) {
  if (parsed.exitCode == 0)
    return 0;
  auto ranks = lpu::sim::joinRanks();
  if (!ranks || !*ranks)
    return parsed.exitCode;
  if (!talks)
    return lpu::sim::serveRank(nullptr, parsed.error, **ranks);
  lpu::sim::dismissRanks(**ranks, parsed.exitCode);
  return parsed.exitCode;
}

/// The same where ranks cannot talk to each other: mpirun ends the others when rank 0 has left.
static int leaveWithout(const lpu::Error &error, bool talks) {
  if (talks)
    std::cerr << error.str() << '\n';
  else
    sleep(60);
  return lpu::rt::kFailure;
}

static int run(int argc, char **argv) {
  auto parsed = lpu::rt::parseCommandLine(argc, argv, lpu::isa::versionLine("lpu-run"));
  const bool talks = lpu::sim::launchedRank() == 0;
  if (!parsed.options && talks) {
    std::cout << parsed.output << std::flush;
    if (!parsed.error.empty())
      std::cerr << parsed.error << '\n';
  }
  if (!parsed.options)
    return leaveTogether(parsed, talks);
  if (!parsed.warning.empty() && talks)
    std::cerr << parsed.warning << '\n';
  auto ranks = lpu::sim::joinRanks();
  if (!ranks)
    return leaveWithout(ranks.error(), talks);
  lpu::rt::Terminal terminal{std::cout, std::cerr, isatty(STDOUT_FILENO) == 1, isatty(STDERR_FILENO) == 1};
  return lpu::rt::runFile(*parsed.options, lpu::sim::Simulator::create, terminal, ranks->get());
}

int main(int argc, char **argv) {
  std::signal(SIGPIPE, SIG_IGN); // a closed stdout is reported, not fatal
  const int code = run(argc, argv);
  if (code != 0)
    lpu::sim::awaitLauncher();
  return code;
}
