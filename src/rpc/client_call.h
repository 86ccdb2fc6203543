// What the client's calls share, and one unary call of it.
//
// A call is started and answered on the main loop; between, gRPC's threads own it, decode its
// answer and post it back. Everything of gRPC that a call holds is destroyed on the main loop,
// because the last channel must not end on a thread of gRPC.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "rpc/channels.h"

namespace google::protobuf {
class Message;
}
namespace grpc {
class ClientContext;
class Status;
}  // namespace grpc

namespace dkron::rpc {

// A method by its name in each family of services.
struct Method {
  enum class Service { Dkron, DkronSince41, Agent, Cluster };
  Service service;
  const char* name;
  bool has_old_family() const { return service == Service::Dkron || service == Service::Agent; }
  std::string path(bool is_old) const;
};

// Something that gRPC's threads are busy with.
class Activity {
 public:
  virtual ~Activity() = default;
  virtual void cancel() = 0;  // Thread-safe; it ends soon after.
};

class ClientCore {
 public:
  ClientCore(TaskLoop& loop, Client::Options options);

  Channels& channels() { return channels_; }
  const std::string& node_name() const { return node_name_; }
  bool is_closed() const { return is_closed_; }  // Main loop.

  // Main loop.
  void begin(const std::shared_ptr<Activity>& activity);
  // By the activity, on any thread, as the last thing it does: `task` runs on the main loop.
  void end(Activity* activity, Task task);
  void post(Task task) const { post_(std::move(task)); }
  // Cancels everything and waits until gRPC let go of it, which no peer can delay.
  void close();

 private:
  const Post post_;
  const std::string node_name_;
  Channels channels_;
  bool is_closed_ = false;

  std::mutex mutex_;
  std::condition_variable idle_;
  std::size_t busy_ = 0;
  std::unordered_map<Activity*, std::weak_ptr<Activity>> activities_;
};

using Metadata = std::vector<std::pair<std::string, std::string>>;

struct UnaryRequest {
  std::string address;
  Method method;
  std::unique_ptr<google::protobuf::Message> message;
  std::unique_ptr<google::protobuf::Message> answer;  // Empty, of the expected type.
  Metadata metadata;
  std::optional<Duration> limit = Client::kCallLimit;  // Nullopt: none.
};
using OnAnswer = std::function<void(Result<void>, const google::protobuf::Message& answer)>;
void start_unary(const std::shared_ptr<ClientCore>& core, UnaryRequest request, OnAnswer done);

// For the streaming call: what to send with every call, and what the other side said.
void add_metadata(grpc::ClientContext& context, const ClientCore& core, const Metadata& metadata);
bool is_answered_by_ours(const grpc::ClientContext& context);
Error read_error(const grpc::ClientContext& context, const grpc::Status& status,
                 const std::string& target);

}  // namespace dkron::rpc
