// GroupKeeper: keeps raft's group in step with the servers that are members; the leader only.
//
// A new server is told which cluster it belongs to (adopt), added without a vote, and gets its vote
// once it has caught up. One that left for good is taken out; one that is gone for longer than
// `dead_server_limit` as well, as long as the servers that are alive stay a majority. A server that
// lost its data comes back under its name as a new one: its old vote is removed first. What to do
// next is a pure function of what is known; one step is under way at a time, and a step that fails
// does not hold up those of other servers. Main loop's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "agent/peer_table.h"
#include "base/task_loop.h"
#include "raft/node.h"
#include "rpc/client.h"

namespace dkron::agent {

struct GroupStep {
  enum class Kind { Remove, Adopt, Add, Promote };
  Kind kind = Kind::Add;
  std::string server;
  std::string address;  // Of its RPC; Adopt and Add.
  std::uint64_t id = 0;
  std::string reason;  // Remove.
};

struct GroupView {
  const raft::Status& raft;
  const PeerTable& peers;
  std::string own_name;
  std::string cluster_id;
  Duration now{0};
  Duration in_office_since{0};
  Duration dead_server_limit{0};  // Zero: dead servers are never removed.
};
// Steps that are due, the most urgent first; those of servers that `skip` names are left out.
std::optional<GroupStep> next_step(const GroupView& view,
                                   const std::function<bool(const std::string&)>& skip);

class GroupKeeper {
 public:
  static constexpr Duration kLookEvery = seconds(1);
  // Before a step of the same server is tried again, doubled up to the second.
  static constexpr Duration kAgain = milliseconds(500);
  static constexpr Duration kAgainLimit = seconds(30);

  struct Services {
    TaskLoop& loop;
    const Clock& clock;
    raft::Node& raft;
    const PeerTable& peers;
    rpc::Client& client;
    std::string own_name;
    Duration dead_server_limit{0};
  };
  explicit GroupKeeper(Services services);

  void start();
  void stop();
  // Members or the group changed.
  void look();

 private:
  struct Pause {
    Duration until{0};
    Duration length{0};
  };
  void look_later(Duration delay);
  void perform(const GroupStep& step);
  void on_done(const GroupStep& step, const Result<void>& done);
  void report_strangers();

  Services services_;
  bool running_ = false;
  std::uint64_t tenure_ = 0;
  bool is_busy_ = false;
  Duration in_office_since_{0};
  std::map<std::string, Pause> pauses_;
  std::set<std::string> strangers_;  // Servers of the original, told once.
  std::unique_ptr<Timer> look_timer_;
};

}  // namespace dkron::agent
