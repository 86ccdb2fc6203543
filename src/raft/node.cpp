#include "raft/node.h"

#include <signal.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/log.h"
#include "raft/address.h"
#include "raft/entry.h"
#include "raft/hello.h"
#include "raft/identity.h"
#include "raft/log_files.h"
#include "raft/raft_thread.h"

namespace dkron::raft {
namespace {

constexpr Duration kStopLimit = seconds(5);

class NodeImpl final : public Node {
 public:
  NodeImpl(std::unique_ptr<RaftThread> thread, Post post, Identity identity)
      : thread_(std::move(thread)), post_(std::move(post)), identity_(std::move(identity)) {}
  ~NodeImpl() override { stop(Engine::Stop::Abrupt); }

  Identity identity() const override { return identity_; }
  void propose(std::vector<Command> commands, ProposeCallback callback, bool may_linger) override;
  void barrier(std::function<void(Result<void>)> callback) override;
  Status status() const override { return thread_->shared().status.get(); }
  void accept(UniqueFd connection) override;
  void snapshot(std::function<void(Result<void>)> callback) override;
  void close() override { stop(Engine::Stop::Orderly); }

 private:
  void stop(Engine::Stop how);
  void answer(ProposeCallback callback, Result<std::vector<Outcome>> result);
  void answer_closed(std::function<void(Result<void>)> callback);

  const std::unique_ptr<RaftThread> thread_;
  const Post post_;
  const Identity identity_;
  std::mutex stop_mutex_;
  bool is_stopped_ = false;
};

Error closed_error() {
  return {ErrorCode::Unavailable, "this server is shutting down"};
}

void NodeImpl::propose(std::vector<Command> commands, ProposeCallback callback, bool may_linger) {
  std::size_t bytes = 0;
  for (const Command& command : commands) {
    const std::size_t size = encoded_size(command);
    if (entry_size(size) > kEntryLimitBytes) {
      return answer(
          std::move(callback),
          fail(ErrorCode::TooLarge, "a command of " + std::to_string(command.payload.size()) +
                                        " bytes does not fit into a raft entry of " +
                                        std::to_string(kEntryLimitBytes) + " bytes"));
    }
    bytes += size;
  }
  if (commands.empty()) return answer(std::move(callback), std::vector<Outcome>());

  std::atomic<std::size_t>& queued_bytes = thread_->shared().queued_bytes;
  if (queued_bytes.fetch_add(bytes) + bytes > kQueueLimitBytes) {
    queued_bytes -= bytes;
    return answer(std::move(callback),
                  fail(ErrorCode::Overloaded, "too many commands wait for the raft log"));
  }
  auto proposal = std::make_shared<Proposal>();
  proposal->commands = std::move(commands);
  proposal->callback = std::move(callback);
  proposal->may_linger = may_linger;
  proposal->queued_at = system_clock().steady();
  proposal->bytes = bytes;
  if (!thread_->post([proposal](Engine& engine) { engine.propose(proposal); })) {
    queued_bytes -= bytes;
    answer(std::move(proposal->callback), fail(closed_error()));
  }
}

void NodeImpl::barrier(std::function<void(Result<void>)> callback) {
  if (!thread_->post([callback](Engine& engine) { engine.barrier(callback); })) {
    answer_closed(std::move(callback));
  }
}

void NodeImpl::snapshot(std::function<void(Result<void>)> callback) {
  if (!thread_->post([callback](Engine& engine) { engine.snapshot(callback); })) {
    answer_closed(std::move(callback));
  }
}

void NodeImpl::accept(UniqueFd connection) {
  // A task must be copyable; when it is dropped the descriptor closes.
  auto shared = std::make_shared<UniqueFd>(std::move(connection));
  thread_->post([shared](Engine& engine) { engine.accept(std::move(*shared)); });
}

void NodeImpl::stop(Engine::Stop how) {
  const std::lock_guard lock(stop_mutex_);
  if (std::exchange(is_stopped_, true)) return;
  thread_->stop(how, kStopLimit);
}

void NodeImpl::answer(ProposeCallback callback, Result<std::vector<Outcome>> result) {
  post_([callback = std::move(callback), result = std::move(result)] { callback(result); });
}

void NodeImpl::answer_closed(std::function<void(Result<void>)> callback) {
  post_([callback = std::move(callback)] { callback(fail(closed_error())); });
}

Result<void> check_options(const Options& options) {
  const auto bad = [](std::string text) {
    return fail(ErrorCode::InvalidArgument, std::move(text));
  };
  if (options.node_name.empty() || options.node_name.find('\0') != std::string::npos) {
    return bad("the node name must not be empty");
  }
  if (!find_host_port(options.address)) {
    return bad("\"" + options.address + "\" is no address of the form host:port");
  }
  if (server_address(options.node_name, options.address).size() > kAddressLimitBytes) {
    return bad("node name and address together exceed " + std::to_string(kAddressLimitBytes) +
               " bytes");
  }
  if (options.multiplier < 1 || options.multiplier > 10) {
    return bad("the raft multiplier must lie between 1 and 10");
  }
  return {};
}

void ignore_sigpipe() {
  struct sigaction present = {};
  sigaction(SIGPIPE, nullptr, &present);
  if (present.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
}

// What the files of the directory say before libraft touches them.
Result<EngineSetup> inspect(Options options, const StateMachine& machine) {
  auto pristine = is_pristine(options.directory);
  if (!pristine) return fail(pristine.error());
  if (*pristine && !options.bootstrap && options.bootstrap_servers.empty()) {
    return fail(ErrorCode::Unavailable, "there is no raft log in " + options.directory.string() +
                                            " and this server is not told to found a group");
  }
  auto identity =
      open_identity(options.directory, options.node_name, options.cluster_id, *pristine);
  if (!identity) return fail(identity.error());
  auto acknowledged = read_acknowledged(options.directory);
  if (!acknowledged) return fail(acknowledged.error());
  auto saved = save_open_segments(options.directory, system_clock().wall());
  if (!saved) log::warning("raft segments not copied", {{"error", saved.error()}});
  if (saved && *saved) log::info("raft was not closed in order; its open segments were copied");

  EngineSetup setup;
  setup.acknowledged_index = std::max(*acknowledged, machine.applied_index());
  setup.identity = std::move(*identity);
  setup.is_pristine = *pristine;
  setup.options = std::move(options);
  return setup;
}

}  // namespace

Result<std::unique_ptr<Node>> Node::open(Options options, StateMachine& machine) {
  if (auto checked = check_options(options); !checked) return fail(checked.error());
  if (!options.directory.has_filename()) options.directory = options.directory.parent_path();
  if (auto made = make_directories(options.directory); !made) return fail(made.error());
  auto lock = lock_file(options.directory / "LOCK");
  if (!lock) return fail(lock.error());
  ignore_sigpipe();

  const Post post = options.post;
  auto setup = inspect(std::move(options), machine);
  if (!setup) return fail(setup.error());
  Identity identity = setup->identity;
  auto thread = RaftThread::start(std::move(*setup), machine, std::move(*lock));
  if (!thread) return fail(thread.error());
  return std::make_unique<NodeImpl>(std::move(*thread), post, std::move(identity));
}

}  // namespace dkron::raft
