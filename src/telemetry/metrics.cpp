#include "telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace dkron::telemetry {
namespace {

class Counters final : public CounterFamily {
 public:
  Counters(prometheus::Family<prometheus::Counter>& family, std::string label)
      : family_(family), label_(std::move(label)) {}
  Counter with(const std::string& value) override {
    return Counter(&family_.Add({{label_, value}}));
  }
  void remove(const std::string& value) override {
    if (family_.Has({{label_, value}})) family_.Remove(&family_.Add({{label_, value}}));
  }

 private:
  prometheus::Family<prometheus::Counter>& family_;
  std::string label_;
};

}  // namespace

void Counter::add(double amount) const {
  counter_->Increment(amount);
}
double Counter::value() const {
  return counter_->Value();
}
void Gauge::set(double value) const {
  gauge_->Set(value);
}
void Histogram::observe(double value) const {
  histogram_->Observe(value);
}

struct Metrics::Impl {
  prometheus::Registry registry{prometheus::Registry::InsertBehavior::Merge};
  std::vector<std::function<void()>> refreshers;
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter Metrics::counter(const std::string& name, const std::string& help, const Labels& labels) {
  return Counter(
      &prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry).Add(labels));
}

Gauge Metrics::gauge(const std::string& name, const std::string& help, const Labels& labels) {
  return Gauge(
      &prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry).Add(labels));
}

Histogram Metrics::histogram(const std::string& name, const std::string& help,
                             const std::vector<double>& bounds) {
  return Histogram(&prometheus::BuildHistogram()
                        .Name(name)
                        .Help(help)
                        .Register(impl_->registry)
                        .Add({}, bounds));
}

std::unique_ptr<CounterFamily> Metrics::counters(const std::string& name, const std::string& help,
                                                 const std::string& label) {
  return std::make_unique<Counters>(
      prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry), label);
}

void Metrics::on_collect(std::function<void()> refresh) {
  impl_->refreshers.push_back(std::move(refresh));
}

std::string Metrics::text() {
  for (const auto& refresh : impl_->refreshers) refresh();
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace dkron::telemetry
