#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/clock.h"
#include "telemetry/metrics.h"

namespace dkron::telemetry {
namespace {

struct Memory {
  double resident_bytes = 0;
  double virtual_bytes = 0;
};

Memory read_memory() {
  std::ifstream file("/proc/self/statm");
  double total_pages = 0, resident_pages = 0;
  file >> total_pages >> resident_pages;
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  return Memory{resident_pages * page, total_pages * page};
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds_of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

double open_descriptors() {
  std::error_code error;
  double count = 0;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    ++count;
  }
  return count - 1;  // The listing's own descriptor.
}

double descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

double thread_count() {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("Threads:")) return std::stod(line.substr(8));
  }
  return 0;
}

}  // namespace

void add_process_metrics(Metrics& metrics) {
  const auto started = metrics.gauge("process_start_time_seconds",
                                     "Start time of the process since the Unix epoch.");
  started.set(static_cast<double>(system_clock().wall().unix_seconds()));
  const auto cpu =
      metrics.gauge("process_cpu_seconds_total", "Total user and system CPU time in seconds.");
  const auto resident =
      metrics.gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
  const auto virtual_size =
      metrics.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.");
  const auto open = metrics.gauge("process_open_fds", "Number of open file descriptors.");
  const auto limit = metrics.gauge("process_max_fds", "Maximum number of open file descriptors.");
  const auto threads = metrics.gauge("dkron_runtime_num_goroutines",
                                     "Number of threads (name kept for dashboards).");
  metrics.on_collect([=] {
    const Memory memory = read_memory();
    cpu.set(cpu_seconds());
    resident.set(memory.resident_bytes);
    virtual_size.set(memory.virtual_bytes);
    open.set(open_descriptors());
    limit.set(descriptor_limit());
    threads.set(thread_count());
  });
}

}  // namespace dkron::telemetry
