// What nodes ask of each other, as values and as the interfaces of those who answer.
//
// The wire form (gRPC, services of the original and one of ours) stays inside of rpc/. Everything
// here is called on the main loop's thread and answers there, exactly once. The errors of our own
// peers keep their ErrorCode over the wire; those of others arrive as Internal with their text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "model/execution.h"
#include "model/job.h"
#include "state/control.h"

namespace dkron::rpc {

// What a leader of ours says about a run beyond the original's fields; absent from others.
struct Launch {
  std::uint64_t uid = 0;    // Of the job.
  std::uint64_t fence = 0;  // Grows with every attempt.
  Instant scheduled_at;
  std::uint64_t cluster_id = 0;
};

// Texts of the original, known to its programs: a server that does not lead passes a call on once,
// and answers one that was passed on already with the first. As the text of an Unavailable error
// they go to others as the original sends them.
inline constexpr std::string_view kNotTheLeader = "node is not the leader";
inline constexpr std::string_view kServerIsNotLeader =
    "grpc: Error, server is not leader, this operation should be run on the leader";

struct RunRequest {
  model::Job job;  // Name, executor and its settings.
  model::Execution execution;
  std::optional<Launch> launch;
};

// One AgentRun, at the node that executes. Messages are sent in order, one at a time; those that
// wait are replaced by newer ones once kWaitingMessages do. After finish() nothing more is sent.
class RunStream {
 public:
  static constexpr std::size_t kWaitingMessages = 64;
  virtual ~RunStream() = default;  // An unfinished one ends with an error.
  virtual void send(const model::Execution& execution) = 0;
  virtual void finish(const Result<void>& status) = 0;  // An error ends it with its text.
  // Whether the caller still listens.
  virtual bool is_open() const = 0;
};

// A result that a node delivers. `uid` 0: of a node of the original, which knows the name only.
struct RunResult {
  model::Execution execution;
  std::uint64_t uid = 0;
};
struct RunResultAnswer {
  std::string from;     // The node's name.
  std::string payload;  // "saved", "retry" or "deleted".
  // Passed on to the leader, which took it. Callers of the original are then told
  // kServerIsNotLeader, which they take for success.
  bool was_forwarded = false;
};

struct RaftServer {
  std::string id;
  std::string node_name;  // "(unknown)" when it is no member.
  std::string address;
  bool is_leader = false;
  bool is_voter = false;
  std::string protocol;
  // Beyond the original's fields.
  std::string member_status;  // Of gossip: "alive", "failed" ...; "" when it is no member.
  std::optional<std::uint64_t> lag_entries;  // Behind the leader's log; told by the leader only.
};
struct RaftConfiguration {
  std::vector<RaftServer> servers;
  std::uint64_t index = 0;
  std::string answered_by;
  std::string why_no_leader;  // A sentence for people; "" when there is one.
};

// The cluster that a server without one is told to become a part of.
struct Adoption {
  std::uint64_t cluster_id = 0;
  std::uint64_t recovery_epoch = 0;
  std::string leader_name;
};

// Asks for the promise to let `candidate` found the cluster: given to one candidate at a time, and
// only by servers that are part of no cluster and would choose the same one.
struct Founding {
  std::string candidate;
  std::vector<std::string> members;  // Names of all founders, sorted; the candidate among them.
};

using OnDone = state::OnDone;

// What every node answers.
class NodeService {
 public:
  virtual ~NodeService() = default;
  virtual void run(RunRequest request, std::shared_ptr<RunStream> stream) = 0;
  // Answers, and leaves the cluster in good order behind the answer. Conflict when that would cost
  // the quorum and it is not forced.
  virtual void leave(bool force, OnDone done) = 0;
};

// What servers answer beside that. SetJob, DeleteJob, ToggleJob, RunJob, DeleteExecutions and
// pausing go to control(). `is_forwarded`: another server passed the call on (it says so in the
// call's metadata), so it is done here or not at all.
class ServerService {
 public:
  virtual ~ServerService() = default;
  virtual state::Control& control(bool is_forwarded) = 0;
  virtual void find_job(std::string name, state::OnJob done) = 0;
  using OnResult = std::function<void(Result<RunResultAnswer>)>;
  // ExecutionDone.
  virtual void take_result(RunResult result, bool is_forwarded, OnResult done) = 0;
  virtual void set_execution(model::Execution execution, OnDone done) = 0;  // Never passed on.
  virtual std::vector<model::Execution> active_executions() = 0;
  virtual RaftConfiguration raft_configuration() = 0;
  // Conflict when the server is alive, or the quorum at risk, and it is not forced.
  virtual void remove_peer(std::string id, bool force, bool is_forwarded, OnDone done) = 0;
  // A dead node counts as left from now on, and gives up its vote.
  virtual void force_leave(std::string node_name, bool force, bool is_forwarded, OnDone done) = 0;
  // The log index up to which a read must wait so that it misses nothing that was acknowledged
  // before; the leader answers it behind a barrier.
  using OnIndex = std::function<void(Result<std::uint64_t>)>;
  virtual void read_index(bool is_forwarded, OnIndex done) = 0;
  virtual void transfer_leadership(std::string node_name, bool is_forwarded,
                                   OnDone done) = 0;  // "": to any.
  virtual void adopt(Adoption adoption, OnDone done) = 0;
  virtual void promise(Founding founding, OnDone done) = 0;  // An error says why not.
};

}  // namespace dkron::rpc
