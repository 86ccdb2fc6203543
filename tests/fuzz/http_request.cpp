// Any bytes on a connection, through the parser that the server runs. The first two bytes choose
// how the rest is cut into pieces. However it is cut, the same requests must come out, every limit
// must hold, and a failure must have an answer.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/http_parser.h"

namespace {

using namespace dkron::net;

constexpr std::size_t kHeaderLimit = 1024;
constexpr std::size_t kBodyLimit = 2048;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const Request& request) {
  std::size_t header_bytes = request.method_text.size() + request.target.size();
  for (const auto& [name, value] : request.headers) {
    header_bytes += name.size() + value.size();
    require(!name.empty());
    require(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  }
  require(header_bytes <= kHeaderLimit);
  require(request.body.size() <= (request.path == "/small" ? 8 : kBodyLimit));
  require(request.target.find_first_of(" \r\n") == std::string::npos);
}

// Everything that comes out, as text; pieces are at most `piece` bytes.
std::string parse(std::string_view bytes, std::size_t piece) {
  const ParserLimits limits{kHeaderLimit, kBodyLimit, [](Method, std::string_view path) {
                              return path == "/small" ? std::size_t{8} : kBodyLimit * 2;
                            }};
  RequestParser parser(limits);
  std::string pending;
  std::string out;
  while (!bytes.empty()) {
    pending += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    for (;;) {
      std::size_t consumed = 0;
      const auto step = parser.parse(pending, &consumed);
      require(consumed <= pending.size());
      pending.erase(0, consumed);
      if (step == RequestParser::Step::Failed) {
        require(parser.failure_status() >= 400 && parser.failure_status() < 600);
        require(!parser.failure_reason().empty());
        return out + "failed\n";
      }
      if (step == RequestParser::Step::NeedMore) break;
      const Request request = parser.take();
      check(request);
      out += request.method_text + " " + request.target + " " + request.body + "\n";
      for (const auto& [name, value] : request.headers) out += name + ":" + value + "\n";
      if (pending.empty()) break;
    }
    require(pending.size() <= std::max(kHeaderLimit, RequestParser::kChunkLineLimit));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 16 * 1024) return 0;
  const std::size_t piece = 1 + data[0] % 64;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string whole = parse(bytes, bytes.size());
  const std::string cut = parse(bytes, piece);
  // What fails may fail later when it comes in pieces that are not yet known to be wrong; what was
  // understood is understood alike.
  const std::size_t common = std::min(whole.size(), cut.size());
  const bool has_failed = whole.ends_with("failed\n") || cut.ends_with("failed\n");
  require(has_failed ? whole.substr(0, common > 7 ? common - 7 : 0) ==
                           cut.substr(0, common > 7 ? common - 7 : 0)
                     : whole == cut);
  return 0;
}
