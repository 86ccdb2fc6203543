#include "agent/own_runs.h"

#include "base/checksum.h"
#include "base/log.h"

namespace dkron::agent {
namespace {

// Runs that a leader of the original ordered have no uid of a job; they get one from its name, out
// of the reach of those that the state machine gives.
constexpr std::uint64_t kForeignBit = std::uint64_t{1} << 63;

bool is_foreign(const node::RunKey& key) {
  return (key.uid & kForeignBit) != 0;
}

model::Execution describe(const std::string& node, const node::RunKey& key, Instant started_at) {
  model::Execution execution;
  execution.node_name = node;
  execution.group = key.group;
  execution.attempt = key.attempt;
  execution.started_at = started_at;
  return execution;
}

}  // namespace

Result<std::unique_ptr<OwnRuns>> OwnRuns::open(Options options) {
  std::unique_ptr<OwnRuns> own(new OwnRuns(std::move(options)));
  OwnRuns* self = own.get();
  node::NodeRuns::Callbacks callbacks;
  callbacks.on_began = [self](const node::RunKey& key, const model::Execution& execution) {
    self->on_began(key, execution);
  };
  callbacks.on_started = [self](const node::RunKey& key, Instant at) { self->on_started(key, at); };
  callbacks.on_finished = [self](const node::RunKey& key, model::Execution execution) {
    self->on_finished(key, std::move(execution));
  };
  callbacks.on_room = [self] { self->tell_room(); };
  callbacks.on_stall = self->options_.on_journal_stall;
  auto runs = node::NodeRuns::open(self->options_.environment, std::move(callbacks));
  if (!runs) return fail(runs.error());
  self->runs_ = std::move(*runs);
  self->again_timer_ = self->options_.environment.loop.make_timer();
  return own;
}

// ---- Orders

void OwnRuns::order(const state::AttemptOpened& attempt) {
  node::RunOrder order;
  order.key = {attempt.job->uid, attempt.group, attempt.attempt};
  order.job_name = attempt.job->name;
  order.executor = attempt.job->executor;
  if (attempt.job->executor_config) order.config = *attempt.job->executor_config;
  order.fence = attempt.fence;
  order.scheduled_at = attempt.scheduled_at;
  runs_->start(std::move(order));
}

void OwnRuns::order(rpc::RunRequest request, std::shared_ptr<rpc::RunStream> stream) {
  auto order = read_order(request);
  if (!order) {
    stream->finish(fail(order.error()));
    return;
  }
  const node::RunKey key = order->key;
  streams_[key] = std::move(stream);
  const auto known = runs_->start(std::move(*order));
  if (known == node::NodeRuns::Known::Ended) return end(key);
  if (const auto running = runs_->find_running(key)) on_began(key, *running);
}

Result<node::RunOrder> OwnRuns::read_order(const rpc::RunRequest& request) const {
  if (is_stopping_) return fail(ErrorCode::Unavailable, "the node is going down");
  if (request.job.name.empty()) return fail(ErrorCode::InvalidArgument, "the job has no name");
  node::RunOrder order;
  order.key.group = request.execution.group;
  order.key.attempt = request.execution.attempt;
  order.job_name = request.job.name;
  order.executor = request.job.executor;
  if (request.job.executor_config) order.config = *request.job.executor_config;
  if (!request.launch) {
    order.key.uid = checksum64(request.job.name) | kForeignBit;
    return order;
  }
  const rpc::Launch& launch = *request.launch;
  if (options_.cluster_id != 0 && launch.cluster_id != options_.cluster_id) {
    return fail(ErrorCode::Conflict, "this node belongs to cluster " +
                                         std::to_string(options_.cluster_id) + ", not to cluster " +
                                         std::to_string(launch.cluster_id));
  }
  if (launch.uid == 0 || (launch.uid & kForeignBit) != 0) {
    return fail(ErrorCode::InvalidArgument, "the launch names no job");
  }
  order.key.uid = launch.uid;
  order.fence = launch.fence;
  order.scheduled_at = launch.scheduled_at;
  return order;
}

// ---- News of runs

void OwnRuns::on_began(const node::RunKey& key, const model::Execution& execution) {
  const auto found = streams_.find(key);
  if (found != streams_.end()) found->second->send(execution);
}

void OwnRuns::on_started(const node::RunKey& key, Instant started_at) {
  if (is_foreign(key) || streams_.contains(key) || !options_.on_started) return;
  options_.on_started(key.uid, describe(options_.environment.node_name, key, started_at));
}

void OwnRuns::on_finished(const node::RunKey& key, model::Execution execution) {
  const auto found = streams_.find(key);
  if (is_foreign(key) && found != streams_.end() && found->second->is_open()) {
    found->second->send(execution);
    end(key);
    runs_->acknowledge(key);
    return;
  }
  if (!on_the_way_.insert(key).second) return;
  to_deliver_.push_back({key, std::move(execution)});
  deliver_next();
}

void OwnRuns::deliver_next() {
  while (delivering_ < kDeliveries && !to_deliver_.empty()) {
    Delivery delivery = std::move(to_deliver_.front());
    to_deliver_.pop_front();
    ++delivering_;
    const node::RunKey key = delivery.key;
    options_.deliver({std::move(delivery.execution), is_foreign(key) ? 0 : key.uid},
                     [this, key](const Result<rpc::RunResultAnswer>& answer) {
                       --delivering_;
                       on_delivered(key, answer);
                       deliver_next();
                     });
  }
}

void OwnRuns::on_delivered(const node::RunKey& key, const Result<rpc::RunResultAnswer>& answer) {
  on_the_way_.erase(key);
  if (!answer && answer.error().code != ErrorCode::NotFound) {
    log::debug("agent: a result was not taken yet", {{"error", answer.error()}});
    deliver_again_later();
    return;
  }
  if (!answer) log::warning(answer.error().message);
  end(key);
  runs_->acknowledge(key);
}

void OwnRuns::end(const node::RunKey& key) {
  const auto found = streams_.find(key);
  if (found == streams_.end()) return;
  found->second->finish({});
  streams_.erase(found);
}

// From inside a run's start or end: once per turn of the loop, and not on its stack.
void OwnRuns::tell_room() {
  if (!options_.on_room || std::exchange(is_room_told_, true)) return;
  options_.environment.loop.post([this] {
    is_room_told_ = false;
    options_.on_room();
  });
}

void OwnRuns::deliver_again_later() {
  if (again_armed_) return;
  again_armed_ = true;
  again_timer_->start(kAgain, [this] {
    again_armed_ = false;
    runs_->redeliver();
  });
}

}  // namespace dkron::agent
