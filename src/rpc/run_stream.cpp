#include "rpc/run_stream.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/server_callback.h>

#include <deque>

#include "model/wire.h"
#include "rpc/status.h"
#include "types/v1/dkron.pb.h"

namespace dkron::rpc {
namespace {

class Run;

// The end of it that the node's code holds; dropping it ends the call.
class Stream final : public RunStream {
 public:
  explicit Stream(std::shared_ptr<ServerRun> run, std::shared_ptr<Run> same)
      : run_(std::move(run)), same_(std::move(same)) {}
  ~Stream() override {
    run_->finish(fail(ErrorCode::Internal, "the run ended without a result"), -1);
  }
  void send(const model::Execution& execution) override;
  void finish(const Result<void>& status) override { run_->finish(status, -1); }
  bool is_open() const override;

 private:
  std::shared_ptr<ServerRun> run_;
  std::shared_ptr<Run> same_;
};

// gRPC may call back from inside of StartWrite() and Finish(), so neither is called under the lock.
class Run final : public ServerRun,
                  public ServerRun::Reactor,
                  public std::enable_shared_from_this<Run> {
 public:
  Run(std::shared_ptr<OpenSet<ServerRun>> open, grpc::CallbackServerContext& context)
      : open_(std::move(open)), context_(context) {}

  Reactor* reactor() override {
    self_ = shared_from_this();
    return this;
  }
  std::shared_ptr<RunStream> stream() override {
    return std::make_shared<Stream>(shared_from_this(), shared_from_this());
  }

  void send(const model::Execution& execution) {
    types::v1::AgentRunStream message;
    model::to_wire(execution, message.mutable_execution());
    grpc::ByteBuffer bytes;
    bool own_buffer = false;
    grpc::SerializationTraits<types::v1::AgentRunStream>::Serialize(message, &bytes, &own_buffer);
    {
      const std::lock_guard lock(mutex_);
      if (!is_open_ || has_end_) return;
      has_sent_ = true;
      if (waiting_.size() < RunStream::kWaitingMessages) {
        waiting_.push_back(std::move(bytes));
      } else {
        waiting_.back() = std::move(bytes);
      }
    }
    go_on();
  }

  void finish(const Result<void>& end, int status_code) override {
    {
      const std::lock_guard lock(mutex_);
      if (has_end_ || is_finished_) return;
      has_end_ = true;
      if (!end) {
        error_ = end.error();
        status_ = to_status(error_);
        // Leaders of the original repeat the order when they see another code.
        if (has_sent_) status_ = {grpc::StatusCode::UNKNOWN, error_.message};
        if (status_code >= 0)
          status_ = {static_cast<grpc::StatusCode>(status_code), error_.message};
      }
    }
    go_on();
  }

  bool is_open() const {
    const std::lock_guard lock(mutex_);
    return is_open_;
  }

  void OnWriteDone(bool ok) override {
    {
      const std::lock_guard lock(mutex_);
      is_writing_ = false;
      if (!ok) close();
    }
    go_on();
  }
  void OnCancel() override {
    {
      const std::lock_guard lock(mutex_);
      close();
    }
    go_on();
  }
  void OnDone() override {
    open_->remove(this);
    const auto last = std::move(self_);
  }

 private:
  void close() {
    is_open_ = false;
    waiting_.clear();
  }

  // The next write, or the end.
  void go_on() {
    bool writes = false;
    {
      const std::lock_guard lock(mutex_);
      if (is_writing_ || is_finished_) return;
      if (!waiting_.empty()) {
        current_ = std::move(waiting_.front());
        waiting_.pop_front();
        is_writing_ = writes = true;
      } else if (has_end_ || !is_open_) {
        is_finished_ = true;
        is_open_ = false;
      } else {
        return;
      }
    }
    if (writes) {
      StartWrite(&current_);
      return;
    }
    if (!status_.ok()) add_error(context_, error_, false);
    Finish(has_end_ ? status_ : grpc::Status(grpc::StatusCode::CANCELLED, "the caller went away"));
  }

  std::shared_ptr<OpenSet<ServerRun>> open_;
  grpc::CallbackServerContext& context_;  // Until Finish().
  std::shared_ptr<Run> self_;             // From being handed to gRPC until OnDone().
  mutable std::mutex mutex_;
  std::deque<grpc::ByteBuffer> waiting_;
  grpc::ByteBuffer current_;
  bool is_open_ = true;
  bool is_writing_ = false;
  bool has_sent_ = false;
  bool has_end_ = false;
  bool is_finished_ = false;
  Error error_;
  grpc::Status status_;
};

void Stream::send(const model::Execution& execution) {
  same_->send(execution);
}
bool Stream::is_open() const {
  return same_->is_open();
}

}  // namespace

std::shared_ptr<ServerRun> ServerRun::make(std::shared_ptr<OpenSet<ServerRun>> open,
                                           grpc::CallbackServerContext& context) {
  return std::make_shared<Run>(std::move(open), context);
}

}  // namespace dkron::rpc
