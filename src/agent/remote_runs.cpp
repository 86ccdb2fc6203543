#include "agent/remote_runs.h"

#include <algorithm>
#include <optional>

#include "base/log.h"

namespace dkron::agent {
namespace {

// The words that the original stores for a run whose stream broke (spec grpc 4).
constexpr std::string_view kBrokenStream =
    "grpc: Error on execution streaming, agent connection was abruptly terminated: ";

node::RunKey key_of(const state::AttemptOpened& opened) {
  return {opened.job->uid, opened.group, opened.attempt};
}

}  // namespace

struct RemoteRuns::Attempt {
  state::AttemptOpened opened;
  std::unique_ptr<rpc::RemoteRun> stream;  // Null while there is none.
  std::unique_ptr<Timer> again_timer;
  Duration again_pause = kAgain;
  // Not reached since, or its end is overdue.
  std::optional<Duration> troubled_since;
  std::string trouble;
  bool is_waiting = true;  // Counted in waiting_.
  bool may_run = false;    // Its node has answered once: it may have started.
  model::Execution last;   // What the node told last.
  bool has_ended = false;  // The end was reported, and is proposed until it is committed.
};

RemoteRuns::RemoteRuns(Services services)
    : services_(std::move(services)),
      announce_timer_(services_.loop.make_timer()),
      look_timer_(services_.loop.make_timer()) {}

RemoteRuns::~RemoteRuns() = default;

void RemoteRuns::dispatch(const state::AttemptOpened& opened) {
  const node::RunKey key = key_of(opened);
  auto [entry, is_new] = nodes_[opened.node].try_emplace(key);
  if (!is_new) return;
  entry->second = std::make_unique<Attempt>();
  Attempt& attempt = *entry->second;
  attempt.opened = opened;
  attempt.last.job_name = opened.job->name;
  attempt.last.node_name = opened.node;
  attempt.last.group = opened.group;
  attempt.last.attempt = opened.attempt;
  attempt.last.scheduled_at = opened.scheduled_at;
  ++waiting_;
  if (size_++ == 0) look_timer_->start(kLookEvery, [this] { look(); });
  order(attempt);
}

void RemoteRuns::order(Attempt& attempt) {
  if (attempt.stream != nullptr || attempt.has_ended) return;
  const std::string node = attempt.opened.node;
  const Peer* peer = services_.peers.find(node);
  if (peer == nullptr || !peer->is_alive() || peer->rpc_address.empty()) return;
  // A node of the original would start it a second time.
  if (attempt.may_run && !peer->has_journal) return;
  rpc::RunRequest request;
  request.job = *attempt.opened.job;
  request.execution = attempt.last;
  request.launch = rpc::Launch{attempt.opened.job->uid, attempt.opened.fence,
                               attempt.opened.scheduled_at, services_.cluster_id()};
  const node::RunKey key = key_of(attempt.opened);
  attempt.stream = services_.client.run(
      peer->rpc_address, std::move(request),
      {[this, node, key](model::Execution execution) {
         on_message(node, key, std::move(execution));
       },
       [this, node, key](const Result<void>& end) { on_end(node, key, end); }});
}

void RemoteRuns::on_message(const std::string& node, const node::RunKey& key,
                            model::Execution execution) {
  Attempt* attempt = find(node, key);
  if (attempt == nullptr) return;
  answered(*attempt);
  attempt->may_run = true;
  attempt->troubled_since.reset();
  attempt->again_pause = kAgain;
  // The stream says whose run this is, whatever the message says.
  execution.job_name = attempt->last.job_name;
  execution.node_name = node;
  execution.group = key.group;
  execution.attempt = key.attempt;
  execution.scheduled_at = attempt->last.scheduled_at;
  const bool is_news = attempt->last.started_at.is_zero() && !execution.started_at.is_zero();
  attempt->last = std::move(execution);
  if (!is_news || !attempt->last.finished_at.is_zero()) return;
  if (to_announce_.empty())
    announce_timer_->start(kAnnounceAfter, [this] { announce_long_runs(); });
  to_announce_.push_back({services_.clock.steady() + kAnnounceAfter, node, key});
}

void RemoteRuns::announce_long_runs() {
  const Duration now = services_.clock.steady();
  while (!to_announce_.empty() && to_announce_.front().due <= now) {
    const Announcement announcement = std::move(to_announce_.front());
    to_announce_.pop_front();
    const Attempt* attempt = find(announcement.node, announcement.key);
    if (attempt != nullptr && !attempt->has_ended) {
      services_.on_started(announcement.key.uid, attempt->last);
    }
  }
  if (to_announce_.empty()) return;
  announce_timer_->start(to_announce_.front().due - now, [this] { announce_long_runs(); });
}

void RemoteRuns::on_end(const std::string& node, const node::RunKey& key, const Result<void>& end) {
  Attempt* attempt = find(node, key);
  if (attempt == nullptr) return;
  attempt->stream.reset();
  if (end && !attempt->last.finished_at.is_zero()) {
    report(*attempt, attempt->last);
    return;
  }
  const bool may_have_started = !end && end.error().code == ErrorCode::OutcomeUnknown;
  attempt->may_run |= end.has_value() || may_have_started;
  const bool is_refused = !end && !may_have_started && end.error().code != ErrorCode::Unavailable &&
                          end.error().code != ErrorCode::Overloaded;
  if (is_refused) {
    model::Execution execution = attempt->last;
    execution.output = end.error().message;
    execution.finished_at = services_.clock.wall();
    report(*attempt, std::move(execution));
    return;
  }
  // Otherwise the node delivers the result by itself, or has done so.
  if (!attempt->troubled_since) {
    attempt->troubled_since = services_.clock.steady();
    log::debug("agent: the stream of a run ended", {{"job_name", attempt->last.job_name},
                                                    {"node", node},
                                                    {"error", end ? Error{} : end.error()}});
  }
  attempt->trouble = end                ? "the node ended the run's stream without a result"
                     : may_have_started ? std::string(kBrokenStream) + end.error().message
                                        : "the node was not reached: " + end.error().message;
  order_later(*attempt);
}

void RemoteRuns::order_later(Attempt& attempt) {
  const std::string node = attempt.opened.node;
  const node::RunKey key = key_of(attempt.opened);
  if (attempt.again_timer == nullptr) attempt.again_timer = services_.loop.make_timer();
  attempt.again_timer->start(attempt.again_pause, [this, node, key] {
    if (Attempt* found = find(node, key)) order(*found);
  });
  attempt.again_pause = std::min(attempt.again_pause * 2, kAgainLimit);
}

void RemoteRuns::answered(Attempt& attempt) {
  if (!std::exchange(attempt.is_waiting, false)) return;
  --waiting_;
  services_.on_room();
}

// ---- What does not end by itself

void RemoteRuns::look() {
  for (auto& [name, attempts] : nodes_) {
    const Peer* peer = services_.peers.find(name);
    for (auto& [key, attempt] : attempts) look(peer, *attempt);
  }
  if (size_ > 0) look_timer_->start(kLookEvery, [this] { look(); });
}

void RemoteRuns::look(const Peer* peer, Attempt& attempt) {
  if (attempt.has_ended) {
    report(attempt, attempt.last);  // Until it is committed.
    return;
  }
  const Duration now = services_.clock.steady();
  const bool is_gone = peer == nullptr || !peer->is_alive();
  // Who left in good order still finishes what it runs.
  const bool is_finishing = peer != nullptr && peer->status != gossip::MemberStatus::Failed &&
                            attempt.stream != nullptr && !attempt.is_waiting;
  if (is_gone && !is_finishing && !attempt.troubled_since) {
    attempt.troubled_since = peer != nullptr ? peer->gone_since : now;
  }
  if (!attempt.troubled_since || now - *attempt.troubled_since < kLostAfter) return;
  // A stream to a node that gossip lost keeps nothing alive: it may hang in a dead connection.
  if (is_gone && !is_finishing) {
    give_up(attempt, "the node " + attempt.opened.node + " is gone");
  } else if (attempt.stream == nullptr || attempt.is_waiting) {
    give_up(attempt, attempt.trouble.empty() ? "the node did not answer" : attempt.trouble);
  }
}

void RemoteRuns::give_up(Attempt& attempt, const std::string& why) {
  log::warning(
      "agent: a run is given up as lost",
      {{"job_name", attempt.last.job_name}, {"node", attempt.opened.node}, {"reason", why}});
  model::Execution execution = attempt.last;
  execution.success = false;
  execution.lost = true;
  execution.finished_at = services_.clock.wall();
  execution.output = why;
  report(attempt, std::move(execution));
}

void RemoteRuns::report(Attempt& attempt, model::Execution execution) {
  answered(attempt);
  attempt.has_ended = true;
  attempt.stream.reset();
  attempt.last = execution;
  services_.on_result(attempt.opened.job->uid, std::move(execution));
}

// ---- News

void RemoteRuns::on_peer_change(const std::string& name) {
  const auto found = nodes_.find(name);
  if (found == nodes_.end() || !services_.peers.is_alive(name)) return;
  for (auto& [key, attempt] : found->second) {
    // It was gone for a while; what counts from now on is whether it answers.
    if (attempt->stream == nullptr) attempt->troubled_since = services_.clock.steady();
    order(*attempt);
  }
}

void RemoteRuns::on_change(const state::AttemptFinished& change) {
  erase(change.execution.node_name, {change.uid, change.execution.group, change.execution.attempt});
}

void RemoteRuns::on_change(const state::JobDeleted& change) {
  std::vector<std::pair<std::string, node::RunKey>> gone;
  for (const auto& [name, attempts] : nodes_) {
    for (auto at = attempts.lower_bound({change.uid, INT64_MIN, 0});
         at != attempts.end() && at->first.uid == change.uid; ++at) {
      gone.emplace_back(name, at->first);
    }
  }
  for (const auto& [name, key] : gone) erase(name, key);
}

void RemoteRuns::stop() {
  nodes_.clear();
  size_ = 0;
  waiting_ = 0;
  look_timer_->cancel();
  to_announce_.clear();
  announce_timer_->cancel();
}

std::vector<model::Execution> RemoteRuns::running() const {
  std::vector<model::Execution> running;
  for (const auto& [name, attempts] : nodes_) {
    for (const auto& [key, attempt] : attempts) {
      if (attempt->last.started_at.is_zero() || attempt->has_ended) continue;
      running.push_back(attempt->last);
      running.back().output.clear();
    }
  }
  return running;
}

RemoteRuns::Attempt* RemoteRuns::find(const std::string& node, const node::RunKey& key) {
  const auto attempts = nodes_.find(node);
  if (attempts == nodes_.end()) return nullptr;
  const auto found = attempts->second.find(key);
  return found == attempts->second.end() ? nullptr : found->second.get();
}

void RemoteRuns::erase(const std::string& node, const node::RunKey& key) {
  const auto attempts = nodes_.find(node);
  if (attempts == nodes_.end()) return;
  const auto found = attempts->second.find(key);
  if (found == attempts->second.end()) return;
  const bool was_waiting = found->second->is_waiting;
  attempts->second.erase(found);
  if (attempts->second.empty()) nodes_.erase(attempts);
  --size_;
  if (!was_waiting) return;
  --waiting_;
  services_.on_room();
}

}  // namespace dkron::agent
