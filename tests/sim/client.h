// Client: users of the simulated cluster: creates, edits, toggles, deletes and runs jobs at random.
//
// Remembers what it was told of each write, so that at the end a write that was answered is in the
// log, and one that was refused is not.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim_server.h"
#include "witness.h"

namespace dkron::sim {

class Client {
 public:
  Client(Random& random, const Clock& clock, std::size_t jobs)
      : random_(random), clock_(clock), jobs_(jobs) {}

  // One random request to that server.
  void act(state::Control& control);
  // A random definition under the name of job `number`.
  void set_job(state::Control& control, std::size_t number);
  void check_answers(const Witness& witness) const;
  std::uint64_t requests() const { return writes_.size() + runs_.size(); }

 private:
  enum class Told { Nothing, Done, Refused, Unknown };
  struct Write {
    std::string mark;
    Told told = Told::Nothing;
  };
  struct Run {
    std::int64_t group = 0;
  };
  std::string any_name() { return name_of(random_.below(jobs_)); }
  static std::string name_of(std::size_t number) { return "job" + std::to_string(number); }
  model::Job any_job(std::size_t number);
  std::string any_schedule();
  static Told told_by(const Result<model::Job>& answer);

  Random& random_;
  const Clock& clock_;
  const std::size_t jobs_;
  std::vector<Write> writes_;
  std::vector<Run> runs_;
};

}  // namespace dkron::sim
