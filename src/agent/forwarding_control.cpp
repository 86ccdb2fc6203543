#include "agent/forwarding_control.h"

namespace dkron::agent {

using rpc::Client;
using state::Control;
using state::OnDone;
using state::OnJob;

template <class Done>
void ForwardingControl::make(std::function<void(Control&, Done)> local,
                             std::function<void(Client&, const std::string&, Done)> remote,
                             Done done) {
  auto call = std::make_shared<Call<Done>>();
  call->local = std::move(local);
  call->remote = std::move(remote);
  call->done = std::move(done);
  call->give_up_at = services_.clock.steady() + kFailOverLimit;
  attempt(std::move(call));
}

template <class Done>
void ForwardingControl::attempt(std::shared_ptr<Call<Done>> call) {
  const Done done = [this, call](auto result) {
    const bool nothing_done = !result && result.error().code == ErrorCode::Unavailable;
    if (!nothing_done || !services_.is_leader_near() ||
        services_.clock.steady() >= call->give_up_at) {
      call->done(std::move(result));
      return;
    }
    call->again_timer = services_.loop.make_timer();
    call->again_timer->start(kAgainPause, [this, call] { attempt(call); });
  };
  if (services_.local.is_leader()) {
    call->local(services_.local, done);
    return;
  }
  const std::string address = services_.leader_address();
  if (address.empty()) {
    done(fail(ErrorCode::Unavailable, services_.why_no_leader()));
  } else {
    call->remote(services_.client, address, done);
  }
}

void ForwardingControl::set_job(model::Job job, state::SetJobOptions options, OnJob done) {
  make<OnJob>([job, options](Control& c, OnJob d) { c.set_job(job, options, std::move(d)); },
              [job, options](Client& c, const std::string& to, OnJob d) {
                c.set_job(to, job, options, std::move(d));
              },
              std::move(done));
}

void ForwardingControl::delete_job(std::string name, OnDone done) {
  make<OnDone>(
      [name](Control& c, OnDone d) { c.delete_job(name, std::move(d)); },
      [name](Client& c, const std::string& to, OnDone d) { c.delete_job(to, name, std::move(d)); },
      std::move(done));
}

void ForwardingControl::toggle_job(std::string name, state::ToggleWish wish, OnJob done) {
  make<OnJob>([name, wish](Control& c, OnJob d) { c.toggle_job(name, wish, std::move(d)); },
              [name, wish](Client& c, const std::string& to, OnJob d) {
                c.toggle_job(to, name, wish, std::move(d));
              },
              std::move(done));
}

void ForwardingControl::delete_executions(std::string name, OnDone done) {
  make<OnDone>([name](Control& c, OnDone d) { c.delete_executions(name, std::move(d)); },
               [name](Client& c, const std::string& to, OnDone d) {
                 c.delete_executions(to, name, std::move(d));
               },
               std::move(done));
}

void ForwardingControl::set_paused(bool paused, OnDone done) {
  make<OnDone>([paused](Control& c, OnDone d) { c.set_paused(paused, std::move(d)); },
               [paused](Client& c, const std::string& to, OnDone d) {
                 c.set_paused(to, paused, std::move(d));
               },
               std::move(done));
}

void ForwardingControl::run_job(std::string name, state::RunOptions options, OnRun done) {
  make<OnRun>([name, options](Control& c, OnRun d) { c.run_job(name, options, std::move(d)); },
              [name, options](Client& c, const std::string& to, OnRun d) {
                c.run_job(to, name, options, std::move(d));
              },
              std::move(done));
}

}  // namespace dkron::agent
