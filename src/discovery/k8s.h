// provider=k8s: the pods that a selector matches, asked of the Kubernetes API server.
//
// With the credentials of the pod that we run in: the service account's token, CA and namespace,
// read anew at every call since tokens rotate. Blocking; thread-safe.
#pragma once

#include <cstdint>

#include "base/file.h"
#include "discovery/query.h"

namespace dkron::discovery {

// Where the API server is and who we are.
struct KubernetesAccess {
  std::string base_url;  // "https://10.96.0.1:443"
  Path service_account;  // Holds `token`, `ca.crt` and `namespace`.
};

// From KUBERNETES_SERVICE_HOST and _PORT; Unavailable outside of a cluster.
Result<KubernetesAccess> in_cluster_access();

// provider=k8s [namespace=] [label_selector="app=dkron"] [field_selector=] [host_network=false].
// Without `namespace` the pod's own. A kubeconfig is refused with a hint.
Result<Addresses> k8s_provider(const Query& query);
Result<Addresses> list_pods(const Query& query, const KubernetesAccess& access);

struct PodPage {
  Addresses addresses;
  std::string next_page;  // The API's `continue`; "" at the end.
};

// The addresses in one answer of the API (a PodList). Only running pods with an address count,
// ready or not. The annotation `dkron.io/auto-join-port` (else the original's
// `consul.hashicorp.com/auto-join-port`) holds the port, as a number or the name of a container's
// port; a pod whose annotation fits nothing is left out. With `host_network` it is the host's IP
// and the host's port.
Result<PodPage> parse_pods(std::string_view json, bool host_network, std::uint16_t default_port);

}  // namespace dkron::discovery
