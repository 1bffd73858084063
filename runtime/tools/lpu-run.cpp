// lpu-run: runs a compiled program on the SystemC chip. Started several times by
// mpirun, the processes run it together; the first one talks.
#include "lpu/rt/Run.h"

#include <csignal>
#include <iostream>
#include <unistd.h>

int main(int argc, char **argv) {
  std::signal(SIGPIPE, SIG_IGN); // a closed stdout is reported, not fatal
  auto parsed = lpu::rt::parseCommandLine(argc, argv);
  const bool talks = lpu::sim::launchedRank() == 0;
  if (!parsed.options && !talks)
    return parsed.exitCode;
  if (!parsed.options) {
    std::cout << parsed.output;
    if (!parsed.error.empty())
      std::cerr << parsed.error << '\n';
    return parsed.exitCode;
  }
  auto ranks = lpu::sim::joinRanks();
  if (!ranks) {
    if (talks)
      std::cerr << ranks.error().str() << '\n';
    return lpu::rt::kFailure;
  }
  lpu::rt::Terminal terminal{std::cout, std::cerr, isatty(STDOUT_FILENO) == 1, isatty(STDERR_FILENO) == 1};
  return lpu::rt::runFile(*parsed.options, lpu::sim::Simulator::create, terminal, ranks->get());
}
