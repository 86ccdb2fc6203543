#include "discovery/k8s.h"

#include <cstdlib>

#include "base/go_text.h"
#include "discovery/discovery.h"
#include "net/http_client.h"

namespace dkron::discovery {
namespace {

constexpr const char* kServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr int kPodsPerPage = 100;
constexpr int kPageLimit = 64;  // Pods that do not run fill pages, too.
constexpr std::size_t kPageBytesLimit = std::size_t{8} * 1024 * 1024;
constexpr std::size_t kSecretLimit = std::size_t{64} * 1024;
constexpr std::size_t kShownLimit = 200;

tl::unexpected<Error> failed(ErrorCode code, const std::string& text) {
  return fail(code, "discover-k8s: " + text);
}

std::string encode_query(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (is_plain) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4];
    encoded += kDigits[byte & 15];
  }
  return encoded;
}

Result<std::string> read_secret(const KubernetesAccess& access, const char* name) {
  auto content = read_file(access.service_account / name, kSecretLimit);
  if (!content) {
    return failed(content.error().code,
                  "error loading in-cluster config: " + content.error().message);
  }
  return std::string(go::trim_space(*content));
}

// What one call asks for, page by page.
struct Listing {
  std::string url;  // Without `continue`.
  std::string token;
  std::string ca_file;
  bool host_network = false;
};

Result<Listing> make_listing(const Query& query, const KubernetesAccess& access) {
  Listing listing;
  if (const std::string_view text = query.parameter("host_network"); !text.empty()) {
    const auto flag = go::parse_bool(text);
    if (!flag) {
      return failed(ErrorCode::InvalidArgument,
                    "host_network must be boolean value: " + flag.error().message);
    }
    listing.host_network = *flag;
  }
  auto token = read_secret(access, "token");
  if (!token) return fail(std::move(token.error()));
  listing.token = std::move(*token);
  listing.ca_file = (access.service_account / "ca.crt").string();
  std::string name_space(query.parameter("namespace"));
  if (name_space.empty()) {
    auto own = read_secret(access, "namespace");
    if (!own) return fail(std::move(own.error()));
    name_space = std::move(*own);
  }
  listing.url = access.base_url + "/api/v1/namespaces/" + encode_query(name_space) +
                "/pods?limit=" + std::to_string(kPodsPerPage);
  for (const auto& [key, name] : {std::pair("label_selector", "labelSelector"),
                                  std::pair("field_selector", "fieldSelector")}) {
    const std::string_view value = query.parameter(key);
    if (!value.empty()) listing.url += std::string("&") + name + "=" + encode_query(value);
  }
  return listing;
}

// The first line of what the server says, for people.
std::string shown(std::string_view body) {
  return go::quote(body.substr(0, std::min(kShownLimit, body.find('\n'))));
}

Result<std::string> fetch_page(const Listing& listing, const std::string& page, Duration left) {
  if (left <= Duration(0)) return failed(ErrorCode::Timeout, "error listing pods: i/o timeout");
  net::FetchOptions options;
  options.url = listing.url;
  if (!page.empty()) options.url += "&continue=" + encode_query(page);
  options.headers = {{"Authorization", "Bearer " + listing.token}, {"Accept", "application/json"}};
  options.timeout = left;
  options.body_limit_bytes = kPageBytesLimit;
  options.redirect_limit = 0;  // The token is for this server.
  options.ca_file = listing.ca_file;
  auto answer = net::http_fetch(options);
  if (!answer) {
    return failed(answer.error().code, "error listing pods: " + answer.error().message);
  }
  if (answer->status != 200) {
    return failed(ErrorCode::Unavailable, "error listing pods: the API server answered " +
                                              std::to_string(answer->status) + " " +
                                              shown(answer->body));
  }
  if (answer->body_truncated) {
    return failed(ErrorCode::TooLarge, "error listing pods: an answer of more than " +
                                           std::to_string(kPageBytesLimit) + " bytes");
  }
  return std::move(answer->body);
}

}  // namespace

Result<KubernetesAccess> in_cluster_access() {
  const char* host = std::getenv("KUBERNETES_SERVICE_HOST");
  const char* port = std::getenv("KUBERNETES_SERVICE_PORT");
  if (host == nullptr || port == nullptr || *host == '\0' || *port == '\0') {
    return failed(ErrorCode::Unavailable,
                  "error loading in-cluster config: KUBERNETES_SERVICE_HOST and "
                  "KUBERNETES_SERVICE_PORT must be defined");
  }
  const auto number = go::parse_int(port);
  if (!number || *number < 1 || *number > 65'535) {
    return failed(ErrorCode::InvalidArgument, "KUBERNETES_SERVICE_PORT is no port");
  }
  return KubernetesAccess{
      "https://" + config::join_host_port(host, static_cast<std::uint16_t>(*number)),
      kServiceAccount};
}

Result<Addresses> k8s_provider(const Query& query) {
  if (!query.parameter("kubeconfig").empty()) {
    return failed(ErrorCode::InvalidArgument,
                  "kubeconfig is not supported, only the service account of the pod; outside of a "
                  "cluster use provider=exec with kubectl");
  }
  const auto access = in_cluster_access();
  if (!access) return fail(access.error());
  return list_pods(query, *access);
}

Result<Addresses> list_pods(const Query& query, const KubernetesAccess& access) {
  const auto listing = make_listing(query, access);
  if (!listing) return fail(listing.error());
  Addresses found;
  std::string page;
  for (int pages = 0; pages < kPageLimit; ++pages) {
    const auto body = fetch_page(*listing, page, query.time_left());
    if (!body) return fail(body.error());
    auto pods = parse_pods(*body, listing->host_network, query.default_port);
    if (!pods) return failed(pods.error().code, pods.error().message);
    found.insert(found.end(), pods->addresses.begin(), pods->addresses.end());
    page = std::move(pods->next_page);
    if (page.empty() || found.size() >= kMaxAddresses) return found;
  }
  return failed(ErrorCode::TooLarge, "more than " + std::to_string(kPageLimit * kPodsPerPage) +
                                         " pods match; narrow the label_selector");
}

}  // namespace dkron::discovery
