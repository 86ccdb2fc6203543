// ForwardingControl: what clients ask of the cluster, at whatever server they ask: done here when
// this server leads, else by the leader (implements state::Control).
//
// A request that comes while leadership changes waits for the next leader, at most
// kFailOverLimit; when nothing was done it is given to that one. Main loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/task_loop.h"
#include "rpc/client.h"
#include "state/control.h"

namespace dkron::agent {

class ForwardingControl final : public state::Control {
 public:
  static constexpr Duration kFailOverLimit = seconds(5);
  static constexpr Duration kAgainPause = milliseconds(50);

  struct Services {
    TaskLoop& loop;
    const Clock& clock;
    state::Control& local;  // Answers Unavailable while this server does not lead.
    rpc::Client& client;
    // Of the leader's RPC, another server's; empty: none is known, or it is this one.
    std::function<std::string()> leader_address;
    // A leader is there, or was there a moment ago: the next one is near.
    std::function<bool()> is_leader_near;
    std::function<std::string()> why_no_leader;  // A sentence for people.
  };
  explicit ForwardingControl(Services services) : services_(std::move(services)) {}

  void set_job(model::Job job, state::SetJobOptions options, state::OnJob done) override;
  void delete_job(std::string name, state::OnDone done) override;
  void toggle_job(std::string name, state::ToggleWish wish, state::OnJob done) override;
  void delete_executions(std::string name, state::OnDone done) override;
  void set_paused(bool paused, state::OnDone done) override;
  void run_job(std::string name, state::RunOptions options, OnRun done) override;
  bool is_leader() const override { return services_.local.is_leader(); }
  std::string leader_name() const override { return services_.local.leader_name(); }

 private:
  template <class Done>
  struct Call {
    std::function<void(state::Control&, Done)> local;
    std::function<void(rpc::Client&, const std::string& address, Done)> remote;
    Done done;
    Duration give_up_at{0};
    std::unique_ptr<Timer> again_timer;
  };
  template <class Done>
  void make(std::function<void(state::Control&, Done)> local,
            std::function<void(rpc::Client&, const std::string&, Done)> remote, Done done);
  template <class Done>
  void attempt(std::shared_ptr<Call<Done>> call);

  Services services_;
};

}  // namespace dkron::agent
