#include "LoadOptions.h"

namespace lpu::serve {

constexpr std::size_t kMostWaiting = 1000000;

const char *const kLoadAbout =
    "Studies a compiled model under load, in virtual time, without running it.\n\n"
    "  lpu-load model.lpx --workload=poisson:200 --lengths=32:64 --systems=1,2,4 --report=load.html\n"
    "  lpu-load model.lpx --workload=trace:azure23_conv.csv:x40 --slo=ttft:200ms,tpot:50ms\n"
    "  lpu-load a.lpx b.lpx c.lpx --resident=2 --workload=poisson:500   three models on chips for two\n"
    "  lpu-load model.lpx --workload=poisson:500 --server=http://127.0.0.1:8080   compare with lpu-serve "
    "--virtual-arrivals";

void declareOptions(CLI::App &app, LoadOptions &to) {
  app.add_option("program", to.programs, "compiled program; several with --resident, the most popular one first")
      ->type_name("MODEL.lpx")
      ->required();
  app.add_option("--workload", to.workload,
                 "when requests come: poisson:R and gamma:R:B (R a second; B 1 is Poisson, less is burstier), closed:U "
                 "(U users, each sends again when answered), trace:FILE[:xK] (K times as fast)")
      ->capture_default_str();
  app.add_option("--lengths", to.lengths,
                 "tokens of prompts and answers: 32:64, 16-64:8-32, azure-conv, azure-code, mooncake-conv, sharegpt "
                 "(default: 32:64; a trace has its own; an encoder's answers have no length)");
  app.add_option("--systems", to.systems, "numbers of systems to study")
      ->delimiter(',')
      ->check(CLI::Range(1u, kMostSystems));
  app.add_option("--requests", to.requests, "how many; of a trace the first ones")
      ->check(CLI::Range(std::size_t{1}, std::size_t{10000000}))
      ->capture_default_str();
  app.add_option("--queue", to.queue, "sequences that may wait; more are refused")
      ->check(CLI::Range(std::size_t{0}, kMostWaiting))
      ->capture_default_str();
  app.add_option("--max-wait", to.maxWait, "refuse requests that may have to wait longer")->type_name("DURATION");
  app.add_option("--slo", to.slo,
                 "times to keep to, such as ttft:200ms,tpot:50ms,share:0.99; then the fewest systems that "
                 "do are searched");
  app.add_option("--seed", to.seed, "of the random numbers")->capture_default_str();
  app.add_flag("!--no-curves", to.curves, "leave out the curves over load");
  app.add_option("--report", to.report, "write a page (.html) or JSON (.json)")->type_name("FILE");
  app.add_option("--server", to.server, "also send the requests to this server, and compare to the cycle")
      ->type_name("URL");
  app.add_option("--model", to.models,
                 "as that server calls each program (default: its only one; of several, as their files are called)")
      ->type_name("NAME")
      ->delimiter(',');
  app.add_option(
         "--resident", to.resident,
         "chips that several programs share: what is asked for is loaded in place of what has been idle longest. "
         "The k-th program gets a share of requests proportional to 1/k; the study compares with chips of their own")
      ->type_name("CHIPS")
      ->check(CLI::Range(1u, 1000000u));
  app.add_option(
         "--autoscale", to.autoscale,
         "also study systems that come and go with demand, N at most: what it costs in chip-seconds if decided at "
         "arrivals, and by an oracle")
      ->type_name("N")
      ->check(CLI::Range(1u, kMostSystems));
  app.add_option("--energy", to.energy, "price tokens by this table of energies: gf14, sf4x or a YAML file")
      ->type_name("NAME|FILE");
}

} // namespace lpu::serve
