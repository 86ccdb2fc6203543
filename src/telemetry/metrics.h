// Metrics: the process's counters, gauges and histograms, shown as Prometheus text (spec metrics 2,
// 7, 12).
//
// A thin front of prometheus-cpp's registry, which stays in the .cpp. Instruments are handles:
// cheap to copy, valid as long as the Metrics object, usable from any thread. Counters exist from
// their declaration on with value 0 and never vanish while the process runs, except those of a
// label that was removed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace dkron::telemetry {

using Labels = std::map<std::string, std::string>;

class Counter {
 public:
  explicit Counter(prometheus::Counter* counter) : counter_(counter) {}
  void add(double amount = 1) const;
  double value() const;

 private:
  prometheus::Counter* counter_;
};

class Gauge {
 public:
  explicit Gauge(prometheus::Gauge* gauge) : gauge_(gauge) {}
  void set(double value) const;

 private:
  prometheus::Gauge* gauge_;
};

class Histogram {
 public:
  explicit Histogram(prometheus::Histogram* histogram) : histogram_(histogram) {}
  void observe(double value) const;

 private:
  prometheus::Histogram* histogram_;
};

// A counter for each value of one label.
class CounterFamily {
 public:
  virtual ~CounterFamily() = default;
  virtual Counter with(const std::string& value) = 0;
  virtual void remove(const std::string& value) = 0;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Names are given in full ("dkron_scheduler_start"). The same name and labels give the same
  // instrument.
  Counter counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  // `bounds`: upper limits of the buckets, ascending; the last bucket is without limit.
  Histogram histogram(const std::string& name, const std::string& help,
                      const std::vector<double>& bounds);
  std::unique_ptr<CounterFamily> counters(const std::string& name, const std::string& help,
                                          const std::string& label);

  // Called before each text(), on its thread, to refresh gauges. Declare before the first text().
  void on_collect(std::function<void()> refresh);

  // Prometheus text format 0.0.4.
  std::string text();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Declares and keeps fresh the standard process_* metrics of this process.
void add_process_metrics(Metrics& metrics);

}  // namespace dkron::telemetry
