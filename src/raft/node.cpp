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
  NodeImpl(std::unique_ptr<RaftThread> thread, Post post)
      : thread_(std::move(thread)), post_(std::move(post)) {}
  ~NodeImpl() override { stop(Engine::Stop::Abrupt); }

  Identity identity() const override { return thread_->shared().identity.get(); }
  void found(OnDone done) override;
  void adopt(std::uint64_t cluster_id, std::uint64_t recovery_epoch, OnDone done) override;
  void add_server(std::string node_name, std::string address, OnDone done) override;
  void promote(std::string node_name, OnDone done) override;
  void remove_server(std::uint64_t id, OnDone done) override;
  void transfer_leadership(std::string node_name, OnDone done) override;
  void propose(std::vector<Command> commands, ProposeCallback callback, bool may_linger) override;
  void barrier(std::function<void(Result<void>)> callback) override;
  Status status() const override { return thread_->shared().status.get(); }
  void accept(UniqueFd connection) override;
  void snapshot(std::function<void(Result<void>)> callback) override;
  void close() override { stop(Engine::Stop::Orderly); }

 private:
  void stop(Engine::Stop how);
  void answer(ProposeCallback callback, Result<std::vector<Outcome>> result);
  void answer(OnDone done, Error error);
  // Runs `call` with the engine and a callback; `done` hears of it when the thread has ended.
  void order(OnDone done, std::function<void(Engine&, OnDone)> call);

  const std::unique_ptr<RaftThread> thread_;
  const Post post_;
  std::mutex stop_mutex_;
  bool is_stopped_ = false;
};

Result<void> check_server(const std::string& node_name, const std::string& address) {
  const auto bad = [](std::string text) {
    return fail(ErrorCode::InvalidArgument, std::move(text));
  };
  if (node_name.empty() || node_name.find('\0') != std::string::npos) {
    return bad("the node name must not be empty");
  }
  if (!find_host_port(address))
    return bad("\"" + address + "\" is no address of the form host:port");
  if (server_address(node_name, address).size() > kAddressLimitBytes) {
    return bad("node name and address together exceed " + std::to_string(kAddressLimitBytes) +
               " bytes");
  }
  return {};
}

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

void NodeImpl::order(OnDone done, std::function<void(Engine&, OnDone)> call) {
  if (!thread_->post([done, call = std::move(call)](Engine& engine) { call(engine, done); })) {
    answer(std::move(done), closed_error());
  }
}

void NodeImpl::barrier(std::function<void(Result<void>)> callback) {
  order(std::move(callback), [](Engine& engine, OnDone done) { engine.barrier(std::move(done)); });
}

void NodeImpl::snapshot(std::function<void(Result<void>)> callback) {
  order(std::move(callback), [](Engine& engine, OnDone done) { engine.snapshot(std::move(done)); });
}

void NodeImpl::found(OnDone done) {
  order(std::move(done), [](Engine& engine, OnDone d) { engine.found(std::move(d)); });
}

void NodeImpl::adopt(std::uint64_t cluster_id, std::uint64_t recovery_epoch, OnDone done) {
  order(std::move(done),
        [=](Engine& engine, OnDone d) { engine.adopt(cluster_id, recovery_epoch, std::move(d)); });
}

void NodeImpl::add_server(std::string node_name, std::string address, OnDone done) {
  if (auto checked = check_server(node_name, address); !checked) {
    return answer(std::move(done), checked.error());
  }
  order(std::move(done),
        [name = std::move(node_name), address = std::move(address)](Engine& engine, OnDone d) {
          engine.add_server(name, address, std::move(d));
        });
}

void NodeImpl::promote(std::string node_name, OnDone done) {
  order(std::move(done), [name = std::move(node_name)](Engine& engine, OnDone d) {
    engine.promote(name, std::move(d));
  });
}

void NodeImpl::remove_server(std::uint64_t id, OnDone done) {
  order(std::move(done),
        [id](Engine& engine, OnDone d) { engine.remove_server(id, std::move(d)); });
}

void NodeImpl::transfer_leadership(std::string node_name, OnDone done) {
  order(std::move(done), [name = std::move(node_name)](Engine& engine, OnDone d) {
    engine.transfer_leadership(name, std::move(d));
  });
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

void NodeImpl::answer(OnDone done, Error error) {
  post_([done = std::move(done), error = std::move(error)] { done(fail(error)); });
}

Result<void> check_options(const Options& options) {
  if (auto checked = check_server(options.node_name, options.address); !checked) return checked;
  if (options.multiplier < 1 || options.multiplier > 10) {
    return fail(ErrorCode::InvalidArgument, "the raft multiplier must lie between 1 and 10");
  }
  return {};
}

void ignore_sigpipe() {
  struct sigaction present = {};
  sigaction(SIGPIPE, nullptr, &present);
  if (present.sa_handler == SIG_DFL) ::signal(SIGPIPE, SIG_IGN);
}

// Which identity this server has, what it is to begin with, and what of libraft is on disk.
Result<void> inspect_identity(EngineSetup& setup) {
  const Options& options = setup.options;
  auto pristine = is_pristine(options.directory);
  if (!pristine) return fail(pristine.error());
  auto stored = read_identity(options.directory, options.node_name);
  if (!stored) return fail(stored.error());
  if (!*stored && !*pristine) {
    return fail(ErrorCode::Corrupt,
                (options.directory.parent_path() / "identity.json").string() +
                    " is missing, but there is a raft log beside it: restore the file, "
                    "or wipe the data directory and let this server join again");
  }
  const bool is_empty = *pristine || (*stored && (*stored)->is_founding);
  if (is_empty && setup.acknowledged_index > 0) {
    return fail(ErrorCode::Corrupt,
                "there is no raft log in " + options.directory.string() +
                    ", but this server has a state with the entries up to index " +
                    std::to_string(setup.acknowledged_index) +
                    ": they are lost. With other servers alive: wipe this server's data "
                    "directory, remove it from the cluster and let it join again");
  }
  if (!*stored && !options.bootstrap) {
    setup.identity.node_name = options.node_name;
    return {};
  }
  if (!*stored) {
    *stored = StoredIdentity{new_identity(options.node_name, options.cluster_id), true};
    if (auto written = write_identity(options.directory, **stored); !written) return written;
  }
  setup.identity = (*stored)->identity;
  setup.begin = (*stored)->is_founding ? EngineSetup::Begin::Found : EngineSetup::Begin::Belong;
  if (!(*stored)->is_founding) return {};
  return clear_unfinished_founding(options.directory);
}

// What the files of the directory say before libraft touches them.
Result<EngineSetup> inspect(Options options, const StateMachine& machine) {
  auto acknowledged = read_acknowledged(options.directory);
  if (!acknowledged) return fail(acknowledged.error());
  EngineSetup setup;
  setup.acknowledged_index = std::max(*acknowledged, machine.applied_index());
  setup.options = std::move(options);
  if (auto inspected = inspect_identity(setup); !inspected) return fail(inspected.error());
  auto saved = save_open_segments(setup.options.directory, system_clock().wall());
  if (!saved) log::warning("raft segments not copied", {{"error", saved.error()}});
  if (saved && *saved) log::info("raft was not closed in order; its open segments were copied");
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
  auto thread = RaftThread::start(std::move(*setup), machine, std::move(*lock));
  if (!thread) return fail(thread.error());
  return std::make_unique<NodeImpl>(std::move(*thread), post);
}

}  // namespace dkron::raft
