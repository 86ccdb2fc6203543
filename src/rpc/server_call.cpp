#include "rpc/server_call.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "rpc/metadata.h"
#include "rpc/status.h"

namespace dkron::rpc {

std::string read_metadata(const grpc::CallbackServerContext& context, const char* key) {
  const auto& all = context.client_metadata();
  const auto found = all.find(key);
  return found == all.end() ? "" : std::string(found->second.data(), found->second.size());
}

CallInfo read_call_info(const grpc::CallbackServerContext& context) {
  return {read_metadata(context, kForwardedKey) == "1", read_metadata(context, kNodeKey)};
}

void add_error(grpc::CallbackServerContext& context, const Error& error, bool has_other_text) {
  context.AddTrailingMetadata(kCodeKey, std::string(to_string(error.code)));
  if (has_other_text) context.AddTrailingMetadata(kTextKey, error.message);
}

Call::Call(std::shared_ptr<OpenSet<Call>> open, Parts parts)
    : open_(std::move(open)), parts_(parts), info_(read_call_info(parts.context)) {}

Call::~Call() {
  open_->remove(this);
  fail({ErrorCode::Unavailable, kShuttingDown});
}

void Call::reply(const google::protobuf::Message& response) {
  if (!claim()) return;
  bool own_buffer = false;
  const grpc::Status status =
      grpc::GenericSerialize<grpc::ProtoBufferWriter, google::protobuf::Message>(
          response, &parts_.response, &own_buffer);
  parts_.reactor.Finish(status);
}

void Call::fail(const Error& error, std::string_view text, int status_code) {
  if (!claim()) return;
  add_error(parts_.context, error, !text.empty() && text != error.message);
  const grpc::Status status = to_status(error, text);
  parts_.reactor.Finish(status_code < 0 ? status
                                        : grpc::Status(static_cast<grpc::StatusCode>(status_code),
                                                       status.error_message()));
}

}  // namespace dkron::rpc
