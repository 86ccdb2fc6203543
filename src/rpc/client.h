// Client: calls of this node to others, over a pool of channels, one per address.
//
// Every call has a deadline and answers on the main loop, never from inside the call. The family of
// services (types.v1 or the older types) that works at an address is remembered. A peer's text is
// the error's text, as it is. Unavailable: not reached, nothing was done; OutcomeUnknown: the
// connection broke or the deadline passed while the call was under way. A RemoteRun may be
// destroyed from inside its own handlers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/task_loop.h"
#include "rpc/calls.h"

namespace dkron::rpc {

// One AgentRun, at the side that ordered it.
class RemoteRun {
 public:
  virtual ~RemoteRun() = default;  // Ends listening; the run itself goes on.
};

class Client {
 public:
  static constexpr Duration kConnectLimit = seconds(10);
  static constexpr Duration kCallLimit = seconds(30);  // Unless a call says otherwise.
  // A channel that nothing used for so long is closed.
  static constexpr Duration kIdleLimit = minutes(5);

  struct Options {
    std::string node_name;
    // Calls that only a leader can do are marked as passed on (x-dkron-forwarded): true on servers.
    bool forwards = false;
    // PEM texts; empty `trusted`: plain.
    struct Tls {
      std::string trusted;
      std::string certificate;
      std::string key;
      std::string server_name;  // Expected in the peer's certificate; "": the address.
    } tls;
  };
  static std::unique_ptr<Client> make(TaskLoop& loop, Options options);
  virtual ~Client() = default;  // Calls under way are not answered any more.

  virtual void set_tls(Options::Tls tls) = 0;  // For calls from now on.

  // `address` is host:port, an IPv6 host in brackets.
  virtual void set_job(const std::string& address, model::Job job, state::SetJobOptions options,
                       state::OnJob done) = 0;
  virtual void delete_job(const std::string& address, std::string name, OnDone done) = 0;
  virtual void toggle_job(const std::string& address, std::string name, state::ToggleWish wish,
                          state::OnJob done) = 0;
  virtual void delete_executions(const std::string& address, std::string name, OnDone done) = 0;
  virtual void set_paused(const std::string& address, bool paused, OnDone done) = 0;
  // With options.wait there is no deadline.
  virtual void run_job(const std::string& address, std::string name, state::RunOptions options,
                       state::Control::OnRun done) = 0;

  virtual void deliver_result(const std::string& address, RunResult result,
                              ServerService::OnResult done) = 0;
  using OnExecutions = std::function<void(Result<std::vector<model::Execution>>)>;
  virtual void active_executions(const std::string& address, Duration limit, OnExecutions done) = 0;
  using OnConfiguration = std::function<void(Result<RaftConfiguration>)>;
  virtual void raft_configuration(const std::string& address, OnConfiguration done) = 0;
  virtual void remove_peer(const std::string& address, std::string id, bool force, OnDone done) = 0;
  virtual void force_leave(const std::string& address, std::string node_name, bool force,
                           OnDone done) = 0;
  virtual void read_index(const std::string& address, ServerService::OnIndex done) = 0;
  virtual void transfer_leadership(const std::string& address, std::string node_name,
                                   OnDone done) = 0;
  virtual void leave(const std::string& address, bool force, OnDone done) = 0;
  virtual void adopt(const std::string& address, Adoption adoption, OnDone done) = 0;
  virtual void promise(const std::string& address, Founding founding, OnDone done) = 0;

  struct RunHandlers {
    std::function<void(model::Execution)> on_message;
    // Once, last. Ok: the node ended the stream in order. Unavailable: not reached, or refused
    // before anything was started (safe to order again). OutcomeUnknown: broken afterwards.
    std::function<void(Result<void>)> on_end;
  };
  virtual std::unique_ptr<RemoteRun> run(const std::string& address, RunRequest request,
                                         RunHandlers handlers) = 0;
};

}  // namespace dkron::rpc
