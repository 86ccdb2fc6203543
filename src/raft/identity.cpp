#include "raft/identity.h"

#include <boost/json.hpp>
#include <charconv>

#include "base/random.h"

namespace dkron::raft {
namespace {

constexpr std::size_t kFileLimitBytes = 64 * 1024;

Result<std::uint64_t> number_member(const boost::json::object& object, std::string_view key) {
  std::uint64_t number = 0;
  const boost::json::value* value = object.if_contains(key);
  const boost::json::string* text = value != nullptr ? value->if_string() : nullptr;
  if (text != nullptr) {
    const char* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end) return number;
  }
  return fail(ErrorCode::Corrupt, std::string(key) + " must be a decimal number in a string");
}

Result<StoredIdentity> parse(std::string_view text) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(text, error);
  const boost::json::object* object = error ? nullptr : value.if_object();
  if (object == nullptr) return fail(ErrorCode::Corrupt, "this is no JSON object");
  const boost::json::value* name = object->if_contains("node_name");
  if (name == nullptr || !name->is_string() || name->get_string().empty()) {
    return fail(ErrorCode::Corrupt, "node_name must be a string");
  }
  auto cluster_id = number_member(*object, "cluster_id");
  if (!cluster_id) return fail(cluster_id.error());
  auto epoch = number_member(*object, "recovery_epoch");
  if (!epoch) return fail(epoch.error());
  const boost::json::value* founding = object->if_contains("is_founding");
  if (founding != nullptr && !founding->is_bool()) {
    return fail(ErrorCode::Corrupt, "is_founding must be true or false");
  }
  return StoredIdentity{{std::string(name->get_string()), *cluster_id, *epoch},
                        founding != nullptr && founding->get_bool()};
}

Path path_of(const Path& raft_directory) {
  return raft_directory.parent_path() / "identity.json";
}

}  // namespace

Result<std::optional<StoredIdentity>> read_identity(const Path& raft_directory,
                                                    const std::string& node_name) {
  const Path path = path_of(raft_directory);
  auto content = read_file(path, kFileLimitBytes);
  if (!content && content.error().code == ErrorCode::NotFound) return std::nullopt;
  if (!content) return fail(content.error());
  auto stored = parse(*content);
  if (!stored) {
    return fail(stored.error().code, path.string() + ": " + stored.error().message);
  }
  const std::string& stored_name = stored->identity.node_name;
  if (stored_name != node_name) {
    return fail(
        ErrorCode::Conflict,
        "the data directory " + path.parent_path().string() + " belongs to the node \"" +
            stored_name + "\", but this node is called \"" + node_name +
            "\". Either start it with --node-name " + stored_name +
            ", or give the directory to the new name with the recovery tool (raft/peers.json; "
            "elsewhere in the cluster: dkron raft remove-peer --peer-id " +
            stored_name + ")");
  }
  return std::optional(std::move(*stored));
}

Result<void> write_identity(const Path& raft_directory, const StoredIdentity& stored) {
  const Identity& identity = stored.identity;
  boost::json::object object = {{"node_name", identity.node_name},
                                {"cluster_id", std::to_string(identity.cluster_id)},
                                {"recovery_epoch", std::to_string(identity.recovery_epoch)}};
  if (stored.is_founding) object["is_founding"] = true;
  return write_file_durably(path_of(raft_directory), boost::json::serialize(object) + "\n");
}

Identity new_identity(const std::string& node_name, std::uint64_t cluster_id) {
  Identity identity{node_name, cluster_id, 0};
  while (identity.cluster_id == 0) identity.cluster_id = system_random().next();
  return identity;
}

}  // namespace dkron::raft
