// Proposals, barriers and the end of an Engine.
#include "raft/engine.h"

#include <algorithm>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "raft/engine_requests.h"
#include "raft/entry.h"
#include "raft/errors.h"
#include "raft/log_files.h"

namespace dkron::raft {
namespace {

const Error& shutting_down() {
  static const Error error{ErrorCode::Unavailable, "this server is shutting down"};
  return error;
}

}  // namespace

std::optional<Error> Engine::refusal() const {
  if (fatal_) return Error{ErrorCode::Unavailable, "this server stopped: " + fatal_->message};
  if (is_stopping_) return shutting_down();
  if (is_started_) return std::nullopt;
  return Error{ErrorCode::Unavailable,
               "this server is part of no cluster yet: none was founded here, and none has taken "
               "it in"};
}

void Engine::propose(std::shared_ptr<Proposal> proposal) {
  queue_.push(std::move(proposal));
  if (const auto error = refusal()) return fail_waiting(*error);
  pump();
}

void Engine::barrier(std::function<void(Result<void>)> callback) {
  barriers_.push_back({queue_.pushed(), std::move(callback)});
  if (const auto error = refusal()) return fail_waiting(*error);
  pump();
}

void Engine::snapshot(Snapshots::Callback callback) {
  snapshots_.request(std::move(callback));
  if (const auto error = refusal()) return snapshots_.fail_requests(*error);
  snapshots_.update();
}

void Engine::add_server(std::string node_name, std::string address, Node::OnDone done) {
  changes_.add_server(std::move(node_name), std::move(address), std::move(done));
  changes_turn();
}

void Engine::promote(std::string node_name, Node::OnDone done) {
  changes_.promote(std::move(node_name), std::move(done));
  changes_turn();
}

void Engine::remove_server(std::uint64_t id, Node::OnDone done) {
  changes_.remove_server(id, std::move(done));
  changes_turn();
}

void Engine::transfer_leadership(std::string node_name, Node::OnDone done) {
  changes_.transfer_leadership(std::move(node_name), std::move(done));
  changes_turn();
}

void Engine::changes_turn() {
  if (const auto error = refusal()) {
    changes_.fail_waiting(*error);
    changes_.flush();
  } else {
    changes_.turn();  // on_turn() does the rest.
  }
}

void Engine::pump() {
  while (!fatal_ && !is_closing_ && !queue_.is_empty() &&
         in_flight_.size() < static_cast<std::size_t>(Node::kEntriesInFlight) && !must_linger()) {
    submit(queue_.take_group());
  }
  submit_barrier();
  if (is_stopping_ && !is_closing_ && is_drained()) close_raft();
}

bool Engine::must_linger() {
  const auto until = queue_.lingers_until();
  if (!until || !barriers_.empty() || is_stopping_) return false;
  const Duration left = *until - system_clock().steady();
  if (left <= Duration::zero()) return false;
  const auto left_ms = std::chrono::ceil<milliseconds>(left).count();
  const auto on_time = [](uv_timer_t* timer) noexcept {
    static_cast<Engine*>(timer->data)->pump();
  };
  uv_timer_start(&linger_timer_, on_time, static_cast<std::uint64_t>(left_ms), 0);
  return true;
}

void Engine::submit(Group group) {
  shared_.queued_bytes -= group.commands_bytes;
  std::vector<const Command*> commands;
  for (const Slice& slice : group.slices) {
    for (std::size_t i = 0; i < slice.count; ++i) {
      commands.push_back(&slice.proposal->commands[slice.first + i]);
    }
  }
  struct raft_buffer buffer = {};
  buffer.len = entry_size(group.commands_bytes);
  buffer.base = raft_malloc(buffer.len);
  DK_ASSERT(buffer.base != nullptr);
  encode_entry(commands, static_cast<char*>(buffer.base));

  auto request = std::make_unique<EntryRequest>();
  request->engine = this;
  request->request.data = request.get();
  const auto on_done = [](struct raft_apply* done, int status, void*) noexcept {
    auto* entry = static_cast<EntryRequest*>(done->data);
    entry->engine->on_entry_done(entry, status);
  };
  const int status = raft_apply(&raft_, &request->request, &buffer, 1, on_done);
  if (status == 0) {
    for (Slice& slice : group.slices) slice.proposal->was_accepted = true;
    request->slices = std::move(group.slices);
    in_flight_.push_back(std::move(request));
    return;
  }
  if (status == RAFT_NOTLEADER || status == RAFT_NOSPACE) {
    raft_free(buffer.base);
    finish(group.slices, fail(refused_error(status)));
  } else {
    // The library has freed the buffer, and may have gone half of the way.
    finish(group.slices, fail(lost_error(status)));
  }
}

void Engine::on_entry_done(EntryRequest* request, int status) noexcept {
  const auto found = std::find_if(in_flight_.begin(), in_flight_.end(),
                                  [&](const auto& r) { return r.get() == request; });
  DK_ASSERT(found != in_flight_.end());
  const std::unique_ptr<EntryRequest> done = std::move(*found);
  in_flight_.erase(found);
  if (status == 0 && done->outcomes) {
    finish(done->slices, std::move(*done->outcomes));
  } else {
    finish(done->slices, fail(lost_error(status == 0 ? RAFT_CANCELED : status)));
  }
  pump();
}

void Engine::submit_barrier() {
  if (barrier_in_flight_ || barriers_.empty() || fatal_ || is_closing_) return;
  auto request = std::make_unique<BarrierRequest>();
  std::erase_if(barriers_, [&](WaitingBarrier& waiting) {
    if (waiting.after > queue_.left()) return false;
    request->callbacks.push_back(std::move(waiting.callback));
    return true;
  });
  if (request->callbacks.empty()) return;
  request->engine = this;
  request->request.data = request.get();
  const auto on_done = [](struct raft_barrier* done, int status) noexcept {
    static_cast<BarrierRequest*>(done->data)->engine->on_barrier_done(status);
  };
  barrier_in_flight_ = std::move(request);
  const int status = raft_barrier(&raft_, &barrier_in_flight_->request, on_done);
  if (status != 0) on_barrier_done(status);
}

void Engine::on_barrier_done(int status) noexcept {
  const std::unique_ptr<BarrierRequest> done = std::move(barrier_in_flight_);
  const Result<void> result = status == 0 ? Result<void>() : fail(refused_error(status));
  options_.post([callbacks = std::move(done->callbacks), result] {
    for (const auto& callback : callbacks) callback(result);
  });
  pump();
}

void Engine::finish(std::vector<Slice>& slices, Result<std::vector<Outcome>> outcomes) {
  std::vector<Answer> answers;
  std::size_t freed_bytes = 0;
  queue_.finish(slices, std::move(outcomes), answers, freed_bytes);
  shared_.queued_bytes -= freed_bytes;
  post_answers(std::move(answers));
}

void Engine::post_answers(std::vector<Answer> answers) {
  if (answers.empty()) return;
  // A std::function must be copyable, so the answers are shared by its copies.
  auto shared = std::make_shared<std::vector<Answer>>(std::move(answers));
  options_.post([shared] {
    for (Answer& answer : *shared) answer.callback(std::move(answer.result));
  });
}

void Engine::fail_waiting(const Error& error) {
  std::vector<Answer> answers;
  std::size_t freed_bytes = 0;
  queue_.fail_all(error, answers, freed_bytes);
  shared_.queued_bytes -= freed_bytes;
  post_answers(std::move(answers));
  for (WaitingBarrier& waiting : barriers_) {
    options_.post([callback = std::move(waiting.callback), error] { callback(fail(error)); });
  }
  barriers_.clear();
  snapshots_.fail_requests(error);
  changes_.fail_waiting(error);
}

bool Engine::is_drained() const {
  return fatal_ ||
         (queue_.is_empty() && in_flight_.empty() && barriers_.empty() && !barrier_in_flight_);
}

void Engine::stop(Stop how) {
  if (is_closing_) return;
  is_stopping_ = true;
  stop_ = how;
  if (how == Stop::Abrupt || !is_started_ || is_drained()) {
    close_raft();
    return;
  }
  const auto on_limit = [](uv_timer_t* timer) noexcept {
    auto* engine = static_cast<Engine*>(timer->data);
    if (!engine->is_closing_) engine->close_raft();
  };
  uv_timer_start(&drain_timer_, on_limit, kDrainLimitMs, 0);
  pump();
}

void Engine::close_raft() {
  is_closing_ = true;
  fail_waiting(shutting_down());
  changes_.close(shutting_down());
  if (stop_ == Stop::Orderly && is_started_ && !fatal_) {
    auto written = write_acknowledged(options_.directory, raft_.last_stored);
    if (!written) log::error("raft last index not recorded", {{"error", written.error()}});
  }
  fetcher_.stop();
  senders_.stop();
  if (!has_raft_) {
    close_handles();
    return;
  }
  raft_close(&raft_, [](struct raft* raft) noexcept {
    auto* guards_owner = static_cast<Engine*>(raft->fsm->data);
    guards_owner->close_handles();
  });
}

void Engine::close_handles() {
  DK_ASSERT(in_flight_.empty() && !barrier_in_flight_);
  fetcher_.join();
  senders_.join();
  if (has_io_) raft_uv_close(&io_);
  for (auto* handle :
       {reinterpret_cast<uv_handle_t*>(&prepare_), reinterpret_cast<uv_handle_t*>(&check_),
        reinterpret_cast<uv_handle_t*>(&linger_timer_),
        reinterpret_cast<uv_handle_t*>(&drain_timer_),
        reinterpret_cast<uv_handle_t*>(&stall_timer_)}) {
    uv_close(handle, nullptr);
  }
  status_ = Status{};
  shared_.status.set(status_);
  changes_.flush();
  on_stopped_();
}

}  // namespace dkron::raft
