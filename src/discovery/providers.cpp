#include "discovery/providers.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/go_text.h"
#include "discovery/discovery.h"
#include "discovery/exec.h"
#include "discovery/k8s.h"
#include "discovery/mdns.h"
#include "discovery/names.h"
#include "discovery/srv.h"

namespace dkron::discovery {
namespace {

// provider=dns name=servers.example.com [port=8946]: the plain form "name:port", spelt out.
Result<Addresses> dns_provider(const Query& query) {
  const auto wrong = [](const std::string& text) {
    return fail(ErrorCode::InvalidArgument, "discover-dns: " + text);
  };
  const std::string_view name = query.parameter("name");
  if (name.empty()) return wrong("missing name");
  std::uint16_t port = query.default_port;
  if (const std::string_view text = query.parameter("port"); !text.empty()) {
    const auto number = go::parse_int(text);
    if (!number || *number < 1 || *number > 65'535) return wrong("port must be 1 to 65535");
    port = static_cast<std::uint16_t>(*number);
  }
  const auto host = parse_plain(name, port);
  if (!host) return wrong(host.error().message);
  auto found = resolve_all(std::span(&*host, 1), query.deadline);
  if (!found) return fail(found.error().code, "discover-dns: " + found.error().message);
  return found;
}

struct Provider {
  std::string_view name;
  std::string_view keys;  // Separated by blanks.
  Result<Addresses> (*ask)(const Query&);
};

// In the order of the alphabet, as the log line shows them.
constexpr std::array<Provider, 5> kProviders = {{
    {"dns", "name port", &dns_provider},
    {"exec", "command timeout", &exec_provider},
    {"k8s", "kubeconfig namespace label_selector field_selector host_network", &k8s_provider},
    {"mdns", "service domain timeout v4 v6", &mdns_provider},
    {"srv", "service domain proto", &srv_provider},
}};

// What the original knows and we do not, with the program that lists the machines there.
struct Cloud {
  std::string_view name;
  std::string_view program;
};

constexpr std::array<Cloud, 13> kClouds = {{
    {"aliyun", "aliyun ecs DescribeInstances"},
    {"aws", "aws ec2 describe-instances"},
    {"azure", "az vm list-ip-addresses"},
    {"digitalocean", "doctl compute droplet list"},
    {"gce", "gcloud compute instances list"},
    {"linode", "linode-cli linodes list"},
    {"os", "openstack server list"},
    {"packet", "metal device get"},
    {"scaleway", "scw instance server list"},
    {"softlayer", "ibmcloud sl vs list"},
    {"tencentcloud", "tccli cvm DescribeInstances"},
    {"triton", "triton instance list"},
    {"vsphere", "govc vm.info"},
}};

template <class Table>
auto find_named(const Table& table, std::string_view name) {
  return std::find_if(table.begin(), table.end(),
                      [name](const auto& entry) { return entry.name == name; });
}

tl::unexpected<Error> not_built_in(const Cloud& cloud) {
  const std::string name(cloud.name);
  return fail(ErrorCode::InvalidArgument,
              "discover-" + name + ": the provider " + name +
                  " is not built in; use a DNS name with the addresses of all servers, "
                  "provider=srv, or provider=exec with a command that prints one address per "
                  "line, such as one around `" +
                  std::string(cloud.program) + "`");
}

Result<void> check_keys(const Query& query, const Provider& provider) {
  const auto known = go::fields(provider.keys);
  for (const auto& [key, value] : query.parameters) {
    if (key == "provider" || std::find(known.begin(), known.end(), key) != known.end()) continue;
    return fail(ErrorCode::InvalidArgument, "discover-" + std::string(provider.name) +
                                                ": unknown key " + go::quote(key) +
                                                ", known are: " + std::string(provider.keys));
  }
  return {};
}

}  // namespace

Result<Addresses> ask_provider(const Query& query) {
  const std::string_view name = query.parameter("provider");
  if (name.empty()) return fail(ErrorCode::InvalidArgument, "discover: no provider");
  if (const auto cloud = find_named(kClouds, name); cloud != kClouds.end()) {
    return not_built_in(*cloud);
  }
  const auto provider = find_named(kProviders, name);
  if (provider == kProviders.end()) {
    return fail(ErrorCode::InvalidArgument,
                "discover: unknown provider " + std::string(name.substr(0, 64)));
  }
  if (auto checked = check_keys(query, *provider); !checked) return fail(checked.error());
  return provider->ask(query);
}

std::string provider_names() {
  std::string names;
  for (const Provider& provider : kProviders) {
    names += (names.empty() ? "" : " ") + std::string(provider.name);
  }
  return names;
}

}  // namespace dkron::discovery
