// JobWalk: goes over all jobs and proposes a command for each that needs one; the leader only.
//
// In pages of kPageJobs, in the order of names: a worker reads a page, its commands are one
// proposal, and the next page follows when that has its outcome. So neither memory nor the raft
// queue holds more than a page, however many jobs there are. A page that could not be proposed, or
// met a job that was changed meanwhile (Conflict), is read and proposed again after kAgain. Main
// loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "runner/services.h"

namespace dkron::runner {

class JobWalk {
 public:
  static constexpr std::size_t kPageJobs = 2'048;
  static constexpr Duration kAgain = seconds(1);

  // On a worker's thread; nothing: the job needs no command. `now` is the wall clock's time when
  // the page was begun.
  using MakeCommand = std::function<Result<std::optional<raft::Command>>(
      const store::Reader& reader, const model::Job& job, Instant now)>;

  // `purpose` is for the log.
  JobWalk(Services services, std::string purpose, MakeCommand make);

  // From the first job on; a walk that is under way begins anew.
  void start();
  void stop();
  bool is_under_way() const { return is_under_way_; }

 private:
  struct Page {
    std::vector<raft::Command> commands;
    std::string next;  // Where the next page begins; empty: this is the last one.
  };
  static Result<Page> read(const store::Reader& reader, const std::string& from,
                           const MakeCommand& make, Instant now);
  void read_page();
  void propose(Result<Page> page);
  void turn_to(const std::string& next);
  void read_again_later(const Error& error);

  Services services_;
  const std::string purpose_;
  const MakeCommand make_;
  std::unique_ptr<Timer> timer_;
  bool is_under_way_ = false;
  bool delay_logged_ = false;
  std::uint64_t walk_ = 0;  // Tells callbacks of an earlier walk.
  std::string from_;
};

}  // namespace dkron::runner
