// Config: how one node is set up, after flags, environment, file and defaults are merged (spec cli
// 4).
//
// A plain value. load() reads the file system and the machine's name, so it blocks; it belongs to
// the start.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "config/flags.h"

namespace dkron::config {

// Certificates of this node and whom it trusts (spec cli 11). The three files are set together.
struct Tls {
  Path certificate;  // Empty: no TLS.
  Path key;
  Path trusted;
  Path revoked;                 // Empty: none.
  bool verify_clients = false;  // Mutual.
  bool for_http = true;         // The API and the web UI too.
  bool is_on() const { return !certificate.empty(); }
};

struct Config {
  bool server = false;
  std::string node_name;
  int bootstrap_expect = 0;
  bool bootstrap = false;
  bool devmode = false;
  Path data_dir;
  std::string datacenter;
  std::string region;
  std::map<std::string, std::string> tags;  // The user's; reserved ones are refused.

  std::string bind_addr;  // Templates are not yet rendered (address.h).
  std::string advertise_addr;
  std::string http_addr;
  int rpc_port = 0;
  int advertise_rpc_port = 0;  // 0: that of rpc_port, which 0 lets the system choose.
  std::string profile;
  std::string encrypt;
  Tls tls;
  std::vector<std::string> join;        // Tried once, when `retry_join` is empty.
  std::vector<std::string> retry_join;  // Tried until one answers.
  int retry_max = 0;                    // Attempts; 0: without end.
  Duration retry_interval{0};
  Duration serf_reconnect_timeout{0};
  int raft_multiplier = 1;
  Duration dead_server_limit{0};  // 0: votes of dead servers are kept.

  bool ui = true;
  bool enable_prometheus = false;
  log::Level log_level = log::Level::Info;
  log::Format log_format = log::Format::Text;
  Duration drain_timeout{0};  // 0: without end.
};

struct Sources {
  Flags flags;
  std::map<std::string, std::string> environment;  // Of the process.
  Path home;
  Path working_directory;
};

struct Loaded {
  Config config;
  std::optional<Path> file;           // The file in use.
  std::vector<std::string> warnings;  // Unknown keys, a log level that is none.
};

// Errors are InvalidArgument with texts of spec cli 3 and 4, e.g. `config: Error unmarshalling
// config: ...`.
Result<Loaded> load(const Sources& sources);

// The tags that dkron sets itself (spec cli 7).
bool is_reserved_tag(std::string_view key);

}  // namespace dkron::config
