// The JSON side of k8s.h: a PodList is read here and nowhere else.
#include <boost/json.hpp>
#include <optional>

#include "base/go_text.h"
#include "discovery/discovery.h"
#include "discovery/k8s.h"
#include "discovery/names.h"

namespace dkron::discovery {
namespace {

namespace json = boost::json;

constexpr std::size_t kDepthLimit = 64;

const json::object* find_object(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

const json::array* find_array(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_array();
}

std::string_view find_text(const json::object* object, std::string_view key) {
  const json::value* value = object == nullptr ? nullptr : object->if_contains(key);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

std::optional<std::uint16_t> to_port(std::int64_t number) {
  if (number < 1 || number > 65'535) return std::nullopt;
  return static_cast<std::uint16_t>(number);
}

std::optional<std::uint16_t> find_port(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  const std::int64_t* number = value == nullptr ? nullptr : value->if_int64();
  return number == nullptr ? std::nullopt : to_port(*number);
}

// The port that a container calls `name`.
std::optional<std::uint16_t> named_port(const json::object& pod, std::string_view name,
                                        bool host_network) {
  const json::object* spec = find_object(pod, "spec");
  const json::array* containers = spec == nullptr ? nullptr : find_array(*spec, "containers");
  if (containers == nullptr) return std::nullopt;
  for (const json::value& container : *containers) {
    const json::object* fields = container.if_object();
    const json::array* ports = fields == nullptr ? nullptr : find_array(*fields, "ports");
    if (ports == nullptr) continue;
    for (const json::value& entry : *ports) {
      const json::object* port = entry.if_object();
      if (port == nullptr || find_text(port, "name") != name) continue;
      if (auto number = find_port(*port, host_network ? "hostPort" : "containerPort")) {
        return number;
      }
    }
  }
  return std::nullopt;
}

std::optional<std::uint16_t> port_of(const json::object& pod, bool host_network,
                                     std::uint16_t default_port) {
  const json::object* metadata = find_object(pod, "metadata");
  const json::object* annotations =
      metadata == nullptr ? nullptr : find_object(*metadata, "annotations");
  std::string_view wanted = find_text(annotations, "dkron.io/auto-join-port");
  if (wanted.empty()) wanted = find_text(annotations, "consul.hashicorp.com/auto-join-port");
  if (wanted.empty()) return default_port;
  if (const auto named = named_port(pod, wanted, host_network)) return named;
  const auto number = go::parse_int(wanted);
  return number ? to_port(*number) : std::nullopt;
}

std::optional<config::HostPort> address_of(const json::object& pod, bool host_network,
                                           std::uint16_t default_port) {
  const json::object* status = find_object(pod, "status");
  if (find_text(status, "phase") != "Running") return std::nullopt;
  const std::string ip(find_text(status, host_network ? "hostIP" : "podIP"));
  if (ip.find('\0') != ip.npos || !is_ip(ip)) return std::nullopt;
  const auto port = port_of(pod, host_network, default_port);
  if (!port) return std::nullopt;
  return config::HostPort{ip, *port};
}

}  // namespace

Result<PodPage> parse_pods(std::string_view text, bool host_network, std::uint16_t default_port) {
  json::parse_options options;
  options.max_depth = kDepthLimit;
  json::error_code error;
  const json::value list = json::parse(text, error, {}, options);
  const json::object* root = error ? nullptr : list.if_object();
  const json::array* items = root == nullptr ? nullptr : find_array(*root, "items");
  if (items == nullptr) {
    return fail(ErrorCode::Corrupt, "the answer of the API server is no list of pods");
  }
  PodPage page;
  page.next_page = find_text(find_object(*root, "metadata"), "continue");
  for (const json::value& item : *items) {
    if (page.addresses.size() >= kMaxAddresses) break;
    const json::object* pod = item.if_object();
    if (pod == nullptr) continue;
    if (auto address = address_of(*pod, host_network, default_port)) {
      page.addresses.push_back(std::move(*address));
    }
  }
  return page;
}

}  // namespace dkron::discovery
