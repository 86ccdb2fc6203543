// What travels inside Serf's messages: filters, answers of internal queries, tags, coordinates.
#include <cmath>

#include "gossip/fields.h"
#include "gossip/serf_messages.h"
#include "gossip/serf_types.h"

namespace dkron::gossip {
namespace {

constexpr char kNodeFilter = 0;
constexpr char kTagFilter = 1;
constexpr char kTagsMark = '\xff';
constexpr char kCoordinateVersion = 1;

std::string begin(SerfType type) {
  return std::string(1, static_cast<char>(type));
}

void read_names(MsgpackReader& in, std::vector<std::string>& names) {
  names.clear();
  const std::size_t count = in.list();
  for (std::size_t i = 0; i < count && !in.failed(); ++i) names.emplace_back(in.raw());
}

void write_tags(MsgpackWriter& out, const Tags& tags) {
  out.map(tags.size());
  for (const auto& [key, value] : tags) {
    out.raw(key);
    out.raw(value);
  }
}

void read_tags(MsgpackReader& in, Tags& tags) {
  tags.clear();
  const std::size_t count = in.map();
  for (std::size_t i = 0; i < count && !in.failed(); ++i) {
    const std::string_view key = in.raw();
    tags[std::string(key)] = in.raw();
  }
}

}  // namespace

// --- Filters ---------------------------------------------------------------------------------

std::string encode(const QueryFilter& filter) {
  if (const auto* nodes = std::get_if<NodeFilter>(&filter)) {
    std::string bytes(1, kNodeFilter);
    MsgpackWriter out(bytes);
    out.list(nodes->names.size());
    for (const std::string& name : nodes->names) out.raw(name);
    return bytes;
  }
  const auto& tag = std::get<TagFilter>(filter);
  std::string bytes(1, kTagFilter);
  FieldWriter out(bytes, 2);
  out.raw("Expr", tag.expression);
  out.raw("Tag", tag.tag);
  return bytes;
}

Result<QueryFilter> decode_query_filter(std::string_view bytes) {
  if (bytes.empty()) return fail(ErrorCode::Corrupt, "query filter: empty");
  MsgpackReader in(bytes.substr(1));
  if (bytes[0] == kNodeFilter) {
    NodeFilter filter;
    read_names(in, filter.names);
    if (auto read = read_result(in, "node filter"); !read) return fail(read.error());
    return filter;
  }
  if (bytes[0] != kTagFilter) return fail(ErrorCode::Corrupt, "query filter: unknown kind");
  TagFilter filter;
  read_fields(in, [&](std::string_view key) {
    if (key == "Tag") return read_text(in, filter.tag);
    if (key == "Expr") return read_text(in, filter.expression);
    return false;
  });
  if (auto read = read_result(in, "tag filter"); !read) return fail(read.error());
  return filter;
}

// --- Name conflicts --------------------------------------------------------------------------

std::string encode_conflict_response(const std::optional<ConflictResponse>& response) {
  std::string bytes = begin(SerfType::ConflictResponse);
  if (!response) {
    MsgpackWriter(bytes).nil();
    return bytes;
  }
  const Versions& versions = response->versions;
  FieldWriter out(bytes, 11);
  out.raw_or_nil("Addr", response->ip.wire());
  out.number("DelegateCur", versions.delegate_current);
  out.number("DelegateMax", versions.delegate_max);
  out.number("DelegateMin", versions.delegate_min);
  out.raw("Name", response->name);
  out.number("Port", response->port);
  out.number("ProtocolCur", versions.protocol_current);
  out.number("ProtocolMax", versions.protocol_max);
  out.number("ProtocolMin", versions.protocol_min);
  out.signed_number("Status", response->status);
  write_tags(out.at("Tags"), response->tags);
  return bytes;
}

Result<std::optional<ConflictResponse>> decode_conflict_response(std::string_view bytes) {
  const auto type = static_cast<std::uint8_t>(SerfType::ConflictResponse);
  const auto body = body_of(bytes, type, "conflict response");
  if (!body) return fail(body.error());
  MsgpackReader in(*body);
  if (in.next_is_nil()) return std::optional<ConflictResponse>();
  ConflictResponse response;
  Versions& versions = response.versions;
  versions = Versions{0, 0, 0, 0, 0, 0};
  bool is_sane = true;
  read_fields(in, [&](std::string_view key) {
    if (key == "Name") return read_text(in, response.name);
    if (key == "Addr") return read_ip(in, response.ip, is_sane);
    if (key == "Port") return read_number(in, response.port);
    if (key == "Tags") return read_tags(in, response.tags), true;
    if (key == "Status") return read_signed(in, response.status);
    if (key == "ProtocolMin") return read_number(in, versions.protocol_min);
    if (key == "ProtocolMax") return read_number(in, versions.protocol_max);
    if (key == "ProtocolCur") return read_number(in, versions.protocol_current);
    if (key == "DelegateMin") return read_number(in, versions.delegate_min);
    if (key == "DelegateMax") return read_number(in, versions.delegate_max);
    if (key == "DelegateCur") return read_number(in, versions.delegate_current);
    return false;
  });
  if (auto read = read_result(in, "conflict response", is_sane); !read) return fail(read.error());
  return response;
}

// --- Keys ------------------------------------------------------------------------------------

std::string encode(const KeyRequest& request) {
  std::string bytes = begin(SerfType::KeyRequest);
  FieldWriter(bytes, 1).raw("Key", request.key);
  return bytes;
}

Result<KeyRequest> decode_key_request(std::string_view bytes) {
  const auto body = body_of(bytes, static_cast<std::uint8_t>(SerfType::KeyRequest), "key request");
  if (!body) return fail(body.error());
  MsgpackReader in(*body);
  KeyRequest request;
  read_fields(in,
              [&](std::string_view key) { return key == "Key" && read_bytes(in, request.key); });
  if (auto read = read_result(in, "key request"); !read) return fail(read.error());
  return request;
}

std::string encode(const KeyResponse& response) {
  std::string bytes = begin(SerfType::KeyResponse);
  FieldWriter out(bytes, 4);
  MsgpackWriter& keys = out.at("Keys");
  if (response.keys.empty()) {
    keys.nil();
  } else {
    keys.list(response.keys.size());
    for (const std::string& key : response.keys) keys.raw(key);
  }
  out.raw("Message", response.message);
  out.raw("PrimaryKey", response.primary_key);
  out.boolean("Result", response.is_success);
  return bytes;
}

Result<KeyResponse> decode_key_response(std::string_view bytes) {
  const auto type = static_cast<std::uint8_t>(SerfType::KeyResponse);
  const auto body = body_of(bytes, type, "key response");
  if (!body) return fail(body.error());
  MsgpackReader in(*body);
  KeyResponse response;
  read_fields(in, [&](std::string_view key) {
    if (key == "Result") return read_boolean(in, response.is_success);
    if (key == "Message") return read_text(in, response.message);
    if (key == "Keys") return read_names(in, response.keys), true;
    if (key == "PrimaryKey") return read_text(in, response.primary_key);
    return false;
  });
  if (auto read = read_result(in, "key response"); !read) return fail(read.error());
  return response;
}

// --- Tags and coordinates --------------------------------------------------------------------

std::string encode_tags(const Tags& tags) {
  std::string meta(1, kTagsMark);
  MsgpackWriter out(meta);
  write_tags(out, tags);
  return meta;
}

Result<Tags> decode_tags(std::string_view meta) {
  if (meta.size() > kMaxMetaBytes) {
    return fail(ErrorCode::TooLarge, "tags: " + std::to_string(meta.size()) + " bytes");
  }
  if (meta.empty() || meta[0] != kTagsMark) return Tags{{"role", std::string(meta)}};
  MsgpackReader in(meta.substr(1));
  Tags tags;
  read_tags(in, tags);
  if (auto read = read_result(in, "tags"); !read) return fail(read.error());
  return tags;
}

std::string encode(const CoordinateRecord& coordinate) {
  std::string bytes(1, kCoordinateVersion);
  FieldWriter out(bytes, 4);
  out.real("Adjustment", coordinate.adjustment);
  out.real("Error", coordinate.error);
  out.real("Height", coordinate.height);
  MsgpackWriter& vector = out.at("Vec");
  vector.list(coordinate.vector.size());
  for (const double component : coordinate.vector) vector.real(component);
  return bytes;
}

bool is_usable(const CoordinateRecord& coordinate) {
  bool is_finite = std::isfinite(coordinate.error) && std::isfinite(coordinate.adjustment) &&
                   std::isfinite(coordinate.height);
  for (const double component : coordinate.vector) is_finite &= std::isfinite(component);
  return is_finite && coordinate.vector.size() == kCoordinateDimensions;
}

Result<CoordinateRecord> decode_coordinate(std::string_view payload) {
  const auto body = body_of(payload, kCoordinateVersion, "coordinate");
  if (!body) return fail(body.error());
  MsgpackReader in(*body);
  CoordinateRecord coordinate;
  const auto read_real = [&](double& out) { return out = in.real(), true; };
  const auto read_vector = [&] {
    coordinate.vector.clear();
    const std::size_t count = in.list();
    for (std::size_t i = 0; i < count && !in.failed(); ++i) coordinate.vector.push_back(in.real());
    return true;
  };
  read_fields(in, [&](std::string_view key) {
    if (key == "Vec") return read_vector();
    if (key == "Error") return read_real(coordinate.error);
    if (key == "Adjustment") return read_real(coordinate.adjustment);
    if (key == "Height") return read_real(coordinate.height);
    return false;
  });
  if (auto read = read_result(in, "coordinate"); !read) return fail(read.error());
  if (!is_usable(coordinate)) {
    return fail(ErrorCode::Corrupt, "coordinate: not finite, or of another dimension");
  }
  return coordinate;
}

}  // namespace dkron::gossip
