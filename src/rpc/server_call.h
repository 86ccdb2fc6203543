// Call: a unary call that another node made and that is not answered yet; and who keeps count.
//
// Answered once, by whoever comes first: the handler, or the server that goes down. A Call that is
// dropped without an answer answers for itself. Thread-safe.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rpc/calls.h"

namespace grpc {
class ByteBuffer;
class CallbackServerContext;
class ServerUnaryReactor;
class Status;
}  // namespace grpc
namespace google::protobuf {
class Message;
}

namespace dkron::rpc {

inline constexpr const char* kShuttingDown = "the node is shutting down";

// Open things of one kind, at most `limit`; those that ended are taken out by their destructors.
template <class T>
class OpenSet {
 public:
  explicit OpenSet(std::size_t limit) : limit_(limit) {}

  // Says why not.
  Result<void> add(const std::shared_ptr<T>& thing) {
    const std::lock_guard lock(mutex_);
    if (is_closed_) return fail(ErrorCode::Unavailable, kShuttingDown);
    if (open_.size() >= limit_) return fail(ErrorCode::Overloaded, "too many open calls");
    open_.emplace(thing.get(), thing);
    return {};
  }
  void remove(T* thing) {
    const std::lock_guard lock(mutex_);
    open_.erase(thing);
  }
  // Nothing is added from now on.
  void close() {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
  }
  std::vector<std::shared_ptr<T>> all() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<T>> found;
    for (const auto& [key, weak] : open_) {
      if (auto thing = weak.lock()) found.push_back(std::move(thing));
    }
    return found;
  }

 private:
  const std::size_t limit_;
  mutable std::mutex mutex_;
  bool is_closed_ = false;
  std::unordered_map<T*, std::weak_ptr<T>> open_;
};

// Who is calling, from the metadata.
struct CallInfo {
  bool is_forwarded = false;  // Passed on by a server already.
  std::string from;           // Node name of the caller, empty for others than ours.
};
CallInfo read_call_info(const grpc::CallbackServerContext& context);
// A value of the call's metadata, empty when it is not there.
std::string read_metadata(const grpc::CallbackServerContext& context, const char* key);
// Adds what tells our nodes more than the status does.
void add_error(grpc::CallbackServerContext& context, const Error& error, bool has_other_text);

class Call {
 public:
  struct Parts {
    grpc::CallbackServerContext& context;
    grpc::ServerUnaryReactor& reactor;
    grpc::ByteBuffer& response;
  };
  Call(std::shared_ptr<OpenSet<Call>> open, Parts parts);
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  const CallInfo& info() const { return info_; }
  // Only until the first answer.
  std::string metadata(const char* key) const { return read_metadata(parts_.context, key); }

  void reply(const google::protobuf::Message& response);
  // `text`: the original's, for others; `status_code` likewise, when it is not the code's usual
  // one.
  void fail(const Error& error, std::string_view text = {}, int status_code = -1);

 private:
  bool claim() { return !is_answered_.exchange(true); }

  std::shared_ptr<OpenSet<Call>> open_;
  Parts parts_;
  CallInfo info_;
  std::atomic<bool> is_answered_ = false;
};
using CallPtr = std::shared_ptr<Call>;

}  // namespace dkron::rpc
