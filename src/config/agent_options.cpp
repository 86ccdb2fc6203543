// The table of spec cli 3.1 and 5: names, types and defaults are the reference's, the words are
// ours.
#include <array>

#include "config/option.h"

namespace dkron::config {
namespace {

constexpr bool kFlag = true;
constexpr bool kFileOnly = false;
constexpr bool kLater = false;  // is_available: accepted when empty, refused when set.

constexpr std::array kOptions = {
    Option{"advertise-addr", Type::String, "",
           "Address told to other nodes; by default the bind address.\n"
           "Address templates such as {{ GetPrivateIP }} are understood."},
    Option{"advertise-rpc-port", Type::Int, "",
           "RPC port told to other nodes; by default rpc-port"},
    Option{"agent-run-max-retries", Type::Int, "3", "Further attempts to reach a node with a run"},
    Option{"agent-run-retry-initial-interval", Type::Duration, "1s",
           "Pause before the first of these attempts"},
    Option{"agent-run-retry-max-interval", Type::Duration, "30s",
           "Longest pause between these attempts"},
    Option{"auto-tls", Type::Bool, "",
           "Accepted for compatibility; certificates are not generated"},
    Option{"bind-addr", Type::String, "{{ GetPrivateIP }}:8946",
           "Address for gossip, and host of the RPC listener.\n"
           "Address templates are understood."},
    Option{"bootstrap-expect", Type::Int, "",
           "Number of servers that form the cluster at its first start.\n"
           "1: this server becomes a cluster of its own when its data directory is empty."},
    Option{"cert-file", Type::String, "",
           "Certificate of this node (PEM), for other nodes and for the API.\n"
           "With key-file and trusted-ca-file it turns TLS on."},
    Option{"client-cert-auth", Type::Bool, "",
           "Demand certificates of clients, signed by trusted-ca-file"},
    Option{"client-crl-file", Type::String, "", "Revocation list for certificates of clients"},
    Option{"config", Type::String, "", "Configuration file (.yaml, .yml, .toml, .json, .env)"},
    Option{"cronitor-endpoint", Type::String, "", "Base URL of Cronitor for notifications", kFlag,
           kLater},
    Option{"data-dir", Type::String, "dkron.data", "Directory for the server's data"},
    Option{"datacenter", Type::String, "dc1", "Name of this node's data centre"},
    Option{"dead-server-timeout", Type::Duration, "24h",
           "How long a server may be gone before the leader takes its vote away; 0 = never"},
    Option{"disable-http-tls", Type::Bool, "", "Serve the API and the web UI without TLS"},
    Option{"disable-usage-stats", Type::Bool, "",
           "Accepted for compatibility; nothing is ever sent"},
    Option{"dog-statsd-addr", Type::String, "", "DogStatsD host:port", kFlag, kLater},
    Option{"dog-statsd-tags", Type::Strings, "", "DogStatsD tags as key:value", kFlag, kLater},
    Option{"drain-timeout", Type::Duration, "30s",
           "How long a stopping node waits for its runs; 0 = for ever"},
    Option{"enable-prometheus", Type::Bool, "", "Serve Prometheus metrics at /metrics"},
    Option{"encrypt", Type::String, "",
           "Gossip key: 16, 24 or 32 bytes in Base64 (see dkron keygen)"},
    Option{"http-addr", Type::String, ":8080",
           "Address of the HTTP API and the web UI (servers only).\n"
           "Address templates are understood."},
    Option{"join", Type::Strings, "",
           "Addresses to join once at start, when there is no retry-join; may be repeated"},
    Option{"key-file", Type::String, "", "Private key of cert-file (PEM)"},
    Option{"log-format", Type::String, "text", "Form of the log: text (logfmt) or json"},
    Option{"log-level", Type::String, "info", "Log level (debug|info|warn|error|fatal|panic)"},
    Option{"mail-from", Type::String, "", "Sender address of notification mails", kFlag, kLater},
    Option{"mail-host", Type::String, "", "Mail server for notifications", kFlag, kLater},
    Option{"mail-password", Type::String, "", "Password at the mail server", kFlag, kLater},
    Option{"mail-payload", Type::String, "", "Template of the mail's body", kFlag, kLater},
    Option{"mail-port", Type::Uint16, "", "Port of the mail server", kFlag, kLater},
    Option{"mail-subject-prefix", Type::String, "[Dkron]", "Beginning of the mail's subject"},
    Option{"mail-username", Type::String, "", "User at the mail server", kFlag, kLater},
    Option{"node-name", Type::String, "",
           "Name of this node, unique in the cluster (default: the host name)"},
    Option{"otel-endpoint", Type::String, "", "OTLP/gRPC endpoint for traces", kFlag, kLater},
    Option{"pre-webhook-endpoint", Type::String, "", "URL called when a run starts", kFlag, kLater},
    Option{"pre-webhook-headers", Type::Strings, "", "Headers of that call as Name:value", kFlag,
           kLater},
    Option{"pre-webhook-payload", Type::String, "", "Template of that call's body", kFlag, kLater},
    Option{"profile", Type::String, "lan", "Gossip timing: lan, wan or local"},
    Option{"raft-multiplier", Type::Int, "1",
           "Scales Raft's timeouts, 1 to 10 (election 500 ms, heartbeat 100 ms);\n"
           "0 means the default"},
    Option{"region", Type::String, "global", "Region of this node"},
    Option{"retry-interval", Type::String, "30s", "Pause between attempts to join"},
    Option{"retry-join", Type::Strings, "",
           "Addresses to join, tried until one answers; may be repeated.\n"
           "Templates, names, and discovery such as \"provider=k8s label_selector=app=dkron\""},
    Option{"retry-max", Type::Int, "", "Most attempts to join; 0 = without end"},
    Option{"rpc-port", Type::Int, "6868", "Port of gRPC and Raft; 0 = any"},
    Option{"serf-reconnect-timeout", Type::String, "24h",
           "How long a failed member is tried before it is forgotten"},
    Option{"server", Type::Bool, "", "Be a server: keep the state, schedule, serve the API"},
    Option{"statsd-addr", Type::String, "", "StatsD host:port", kFlag, kLater},
    Option{"tag", Type::Strings, "", "Tag of this node as key=value; may be repeated"},
    Option{"trusted-ca-file", Type::String, "",
           "Certificates (PEM) that those of other nodes must be signed by"},
    Option{"ui", Type::Bool, "true", "Serve the web UI"},
    Option{"webhook-endpoint", Type::String, "", "URL called when a run is done", kFlag, kLater},
    Option{"webhook-headers", Type::Strings, "", "Headers of that call as Name:value", kFlag,
           kLater},
    Option{"webhook-payload", Type::String, "", "Template of that call's body", kFlag, kLater},
    Option{"webhook-url", Type::String, "", "Older name of webhook-endpoint", kFlag, kLater},
    Option{"bootstrap", Type::Bool, "", "Become a cluster of one when there is no state",
           kFileOnly},
    Option{"devmode", Type::Bool, "", "Allow a loopback address to be advertised", kFileOnly},
    Option{"reconcileinterval", Type::Duration, "60s", "How often members and peers are compared",
           kFileOnly},
};

}  // namespace

std::span<const Option> agent_options() {
  return kOptions;
}

}  // namespace dkron::config
