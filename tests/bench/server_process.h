// ServerProcess: a dkron server of its own for one measurement, with its data in a temporary
// directory.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace dkron::bench {

class ServerProcess {
 public:
  // Starts `binary` and waits until it leads. Ends the program with a message when it does not.
  explicit ServerProcess(std::string binary, std::vector<std::string> arguments = {});
  // A node of a cluster: gossip and RPC on `ip` (of loopback) at the usual ports; waits only until
  // it is up.
  struct Place {
    std::string name;
    std::string ip;
    bool is_server = true;
    int expect = 0;
    std::vector<std::string> joins;  // IPs.
  };
  ServerProcess(std::string binary, const Place& place, std::vector<std::string> arguments = {});
  ~ServerProcess();  // Ends it and removes the data.
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  std::uint16_t port() const { return port_; }
  // Ends it in an orderly way and starts it again on the same data; seconds until it leads.
  double restart();
  void kill();    // SIGKILL.
  void revive();  // Behind kill().
  double resident_mb() const;
  double cpu_seconds() const;
  const std::filesystem::path& directory() const { return directory_; }

 private:
  void make_directory();
  void start();
  void stop();

  std::string binary_;
  std::vector<std::string> arguments_;
  std::string up_mark_;  // In the log, when it is up.
  std::filesystem::path directory_;
  pid_t pid_ = 0;
  int log_fd_ = -1;
  std::uint16_t port_ = 0;
};

// Lets time pass while something is measured.
void wait_seconds(double seconds);

// Processes per second that this machine starts with posix_spawn, an output pipe and a pidfd each,
// `at_once` of them at a time: the limit that no scheduler of /bin/true can beat here.
double raw_spawn_rate(int count, int at_once);

// Durable writes of 4 KiB per second that the disk under the temporary directory takes, one at a
// time: the limit of commits that nobody shares.
double raw_sync_rate(double seconds);

}  // namespace dkron::bench
