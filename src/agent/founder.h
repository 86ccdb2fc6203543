// Founder: how several new servers become one cluster (bootstrap-expect), and never two.
//
// A server that is part of no cluster waits until it sees as many of its kind as it expects. The
// one whose name comes first asks each of the others for its promise, founds the cluster alone, and
// then adds them (GroupKeeper). A server promises to one candidate at a time, and only to the one
// that it would choose itself, so two candidates whose views differ cannot both get the promises of
// a server that both see. While any server of the region belongs to a cluster nobody founds: one
// waits to be adopted. Main loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/peer_table.h"
#include "base/task_loop.h"
#include "rpc/client.h"

namespace dkron::agent {

class Founder {
 public:
  static constexpr Duration kLookEvery = milliseconds(250);
  // A promise holds for so long, and a candidate founds within it or asks anew.
  static constexpr Duration kPromiseHolds = seconds(10);
  static constexpr Duration kFoundWithin = seconds(5);

  struct Services {
    TaskLoop& loop;
    const Clock& clock;
    const PeerTable& peers;
    rpc::Client& client;
    std::string own_name;
    int expect = 0;
    std::function<bool()> is_outside;  // This server is part of no cluster.
    std::function<void(rpc::OnDone)> found;
  };
  explicit Founder(Services services);

  void start();
  void stop();
  // Members changed.
  void look();

  // Another candidate asks; an error says why not.
  Result<void> promise(const rpc::Founding& founding);

 private:
  // The founders as this server sees them, by name; nothing when there are not enough, or when none
  // may found.
  std::optional<std::vector<std::string>> founders();
  void ask(const std::vector<std::string>& founders);
  void on_promise(const std::string& from, const Result<void>& promised);
  void found();
  void say(const std::string& what);

  Services services_;
  bool running_ = false;
  std::uint64_t round_ = 0;
  Duration asked_at_{0};
  std::set<std::string> missing_promises_;
  bool is_asking_ = false;
  std::string promised_to_;
  Duration promised_until_{0};
  std::string said_;  // What was logged last, so that it is said once.
  std::unique_ptr<Timer> look_timer_;
};

}  // namespace dkron::agent
