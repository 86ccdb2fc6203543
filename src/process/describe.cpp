#include <array>

#include "process/process.h"

namespace dkron::process {
namespace {

// Go names only the first fifteen signals; the others are shown by their number.
constexpr std::array<const char*, 16> kSignalNames = {"",
                                                      "hangup",
                                                      "interrupt",
                                                      "quit",
                                                      "illegal instruction",
                                                      "trace/breakpoint trap",
                                                      "aborted",
                                                      "bus error",
                                                      "floating point exception",
                                                      "killed",
                                                      "user defined signal 1",
                                                      "segmentation fault",
                                                      "user defined signal 2",
                                                      "broken pipe",
                                                      "alarm clock",
                                                      "terminated"};

}  // namespace

std::string describe(const ExitStatus& status) {
  if (status.success()) return "";
  if (status.signal == 0) return "exit status " + std::to_string(status.code);
  const auto number = static_cast<std::size_t>(status.signal);
  std::string text = "signal: ";
  text += number < kSignalNames.size() ? kSignalNames[number] : "signal " + std::to_string(number);
  if (status.core_dumped) text += " (core dumped)";
  return text;
}

}  // namespace dkron::process
