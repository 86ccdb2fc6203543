#include "agent/member_memory.h"

#include <utility>

#include "base/log.h"
#include "config/address.h"

namespace dkron::agent {

MemberMemory::MemberMemory(TaskLoop& loop, Workers& workers,
                           std::unique_ptr<gossip::Snapshot> snapshot)
    : loop_(loop), workers_(workers), snapshot_(std::move(snapshot)), timer_(loop.make_timer()) {
  if (snapshot_ != nullptr) restored_ = snapshot_->restored();
}

std::unique_ptr<MemberMemory> MemberMemory::open(TaskLoop& loop, Workers& workers,
                                                 const Path& path) {
  // A stop for an update is a leave too: the node is to come back to its cluster by itself.
  auto snapshot = gossip::Snapshot::open(path, gossip::AfterLeave::Rejoin);
  if (!snapshot) {
    log::warning("agent: the members of before are not remembered",
                 {{"file", path.string()}, {"error", snapshot.error()}});
  }
  return std::unique_ptr<MemberMemory>(
      new MemberMemory(loop, workers, snapshot ? std::move(*snapshot) : nullptr));
}

std::vector<gossip::Endpoint> MemberMemory::remembered(const std::string& own_name) const {
  std::vector<gossip::Endpoint> endpoints;
  for (const auto& [name, address] : restored_.alive) {
    const auto parts = config::split_host_port(address, 0);
    const auto ip = parts ? gossip::Ip::parse(parts->host) : std::nullopt;
    if (name != own_name && ip && parts->port != 0) endpoints.push_back({*ip, parts->port});
  }
  return endpoints;
}

gossip::Serf::Clocks MemberMemory::clocks() const {
  return {restored_.clock, restored_.event_clock, restored_.query_clock};
}

void MemberMemory::record(const gossip::MemberEvent& event, const gossip::Serf::Clocks& clocks) {
  if (snapshot_ == nullptr) return;
  news_.push_back([event, clocks](gossip::Snapshot& snapshot) {
    snapshot.record(event);
    snapshot.record(clocks);
  });
  if (news_.size() == 1 && !is_writing_) write_later();
}

void MemberMemory::write_later() {
  timer_->start(gossip::Snapshot::kFlushInterval, [this] { write(); });
}

void MemberMemory::write() {
  auto task = [this, alive = std::weak_ptr<char>(alive_token_), snapshot = snapshot_,
               news = std::exchange(news_, {}), post = loop_.poster()] {
    for (const auto& record : news) record(*snapshot);
    const Result<> flushed = snapshot->flush();
    post([this, alive, flushed] {
      if (alive.expired()) return;
      is_writing_ = false;
      if (!flushed) {
        log::warning("agent: the members are not written down, again later",
                     {{"error", flushed.error()}});
      }
      if (!news_.empty()) write_later();
    });
  };
  is_writing_ = workers_.try_post(std::move(task));
  // Dropped with the task: what is alive then is recorded with the next change.
  if (!is_writing_) log::debug("agent: too much waits for the workers to write the members down");
}

}  // namespace dkron::agent
