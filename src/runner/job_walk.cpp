#include "runner/job_walk.h"

#include <algorithm>

#include "base/log.h"
#include "state/views.h"

namespace dkron::runner {

JobWalk::JobWalk(Services services, std::string purpose, MakeCommand make)
    : services_(std::move(services)),
      purpose_(std::move(purpose)),
      make_(std::move(make)),
      timer_(services_.loop.make_timer()) {}

void JobWalk::start() {
  stop();
  is_under_way_ = true;
  delay_logged_ = false;
  from_.clear();
  read_page();
}

void JobWalk::stop() {
  ++walk_;
  is_under_way_ = false;
  timer_->cancel();
}

void JobWalk::read_page() {
  const bool accepted = services_.workers.try_post(
      [this, walk = walk_, from = from_, make = make_, now = services_.clock.wall(),
       reader = &services_.store.reader(), post = services_.loop.poster()] {
        post([this, walk, page = read(*reader, from, make, now)]() mutable {
          if (walk == walk_) propose(std::move(page));
        });
      });
  if (!accepted) read_again_later(Error{ErrorCode::Overloaded, "the workers are busy"});
}

Result<JobWalk::Page> JobWalk::read(const store::Reader& reader, const std::string& from,
                                    const MakeCommand& make, Instant now) {
  Page page;
  std::size_t jobs = 0;
  Result<void> made;
  const auto visited = state::visit_jobs(
      reader,
      [&](const model::Job& job) {
        if (++jobs > kPageJobs) {
          page.next = job.name;
          return false;
        }
        auto command = make(reader, job, now);
        if (!command) {
          made = fail(command.error());
        } else if (*command) {
          page.commands.push_back(std::move(**command));
        }
        return made.has_value();
      },
      from);
  if (!visited) return fail(visited.error());
  if (!made) return fail(made.error());
  return page;
}

void JobWalk::propose(Result<Page> page) {
  if (!page) {
    read_again_later(page.error());
    return;
  }
  if (page->commands.empty()) {
    turn_to(page->next);
    return;
  }
  services_.propose(
      std::move(page->commands),
      [this, walk = walk_, next = page->next](const Result<std::vector<raft::Outcome>>& outcomes) {
        if (walk != walk_) return;
        if (!outcomes) {
          read_again_later(outcomes.error());
          return;
        }
        const auto conflict = std::find_if(outcomes->begin(), outcomes->end(), [](const auto& o) {
          return o.code == ErrorCode::Conflict;
        });
        if (conflict == outcomes->end()) {
          turn_to(next);
        } else {
          read_again_later(Error{conflict->code, conflict->message});
        }
      },
      false);
}

void JobWalk::turn_to(const std::string& next) {
  from_ = next;
  is_under_way_ = !next.empty();
  if (is_under_way_) {
    read_page();
  } else if (delay_logged_) {
    log::info("runner: all jobs are seen to now", {{"purpose", purpose_}});
  }
}

void JobWalk::read_again_later(const Error& error) {
  if (!std::exchange(delay_logged_, true)) {
    log::warning("runner: not all jobs are seen to yet", {{"purpose", purpose_}, {"error", error}});
  }
  timer_->start(kAgain, [this] { read_page(); });
}

}  // namespace dkron::runner
