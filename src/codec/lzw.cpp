// Codes are packed from the least significant bit on. 0-255 are literals, 256 clears the table, 257
// ends; entries begin at 258. `highest_` grows with every code and is the entry that the next code
// defines; the code behind the one that takes it to 512, 1024 or 2048 has one bit more. At 4095 the
// encoder clears.
#include "codec/lzw.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

namespace dkron::codec {
namespace {

constexpr std::uint32_t kClear = 256;
constexpr std::uint32_t kEnd = 257;
constexpr std::uint32_t kLastCode = 4095;
constexpr unsigned kFirstWidth = 9;
constexpr unsigned kLastWidth = 12;

// (code so far, next byte) -> longer code. Open addressing; at least four times as large as it is
// ever full, which takes no more entries than there are bytes to encode: most are short packets.
class EncoderTable {
 public:
  explicit EncoderTable(std::size_t plain_bytes)
      : slot_bits_(bits_for(plain_bytes)), slots_(std::size_t{1} << slot_bits_, kFree) {}

  void clear() { slots_.assign(slots_.size(), kFree); }

  // The slot of the pair, or the free one where it belongs.
  std::uint32_t& slot(std::uint32_t code, std::uint8_t next) {
    const std::uint32_t key = code << 8 | next;
    std::size_t at = (key * 0x9e37'79b1u) >> (32 - slot_bits_);
    while (slots_[at] != kFree && slots_[at] >> 12 != key) at = (at + 1) & (slots_.size() - 1);
    return slots_[at];
  }
  static bool is_free(std::uint32_t slot) { return slot == kFree; }
  static std::uint32_t code_of(std::uint32_t slot) { return slot & kLastCode; }
  static std::uint32_t pack(std::uint32_t code, std::uint8_t next, std::uint32_t longer) {
    return (code << 8 | next) << 12 | longer;
  }

 private:
  static constexpr unsigned kMostSlotBits = 14;
  static constexpr std::uint32_t kFree = 0;  // Entries are never 0: their code is 258 at least.

  static unsigned bits_for(std::size_t plain_bytes) {
    const auto bits = static_cast<unsigned>(std::bit_width(4 * plain_bytes + 1));
    return std::min(bits, kMostSlotBits);
  }

  unsigned slot_bits_;
  std::vector<std::uint32_t> slots_;
};

class Encoder {
 public:
  explicit Encoder(std::string_view plain) : plain_(plain), table_(plain.size()) {}

  std::string run() {
    out_.reserve(plain_.size());
    put(kClear);
    if (!plain_.empty()) {
      auto code = static_cast<std::uint32_t>(static_cast<std::uint8_t>(plain_[0]));
      for (const char c : plain_.substr(1)) code = extend(code, static_cast<std::uint8_t>(c));
      put(code);
      advance();
    }
    put(kEnd);
    if (bit_count_ > 0) out_.push_back(static_cast<char>(bits_));
    return std::move(out_);
  }

 private:
  // The code of `code`'s string with `next` behind it; written out when there is none yet.
  std::uint32_t extend(std::uint32_t code, std::uint8_t next) {
    std::uint32_t& slot = table_.slot(code, next);
    if (!EncoderTable::is_free(slot)) return EncoderTable::code_of(slot);
    put(code);
    if (advance()) slot = EncoderTable::pack(code, next, highest_);
    return next;
  }

  // Counts a written code; false when the table was full and begins anew.
  bool advance() {
    ++highest_;
    if (highest_ == 1u << width_) ++width_;
    if (highest_ < kLastCode) return true;
    put(kClear);
    width_ = kFirstWidth;
    highest_ = kEnd;
    table_.clear();
    return false;
  }

  void put(std::uint32_t code) {
    bits_ |= code << bit_count_;
    bit_count_ += width_;
    for (; bit_count_ >= 8; bit_count_ -= 8, bits_ >>= 8) out_.push_back(static_cast<char>(bits_));
  }

  std::string_view plain_;
  std::string out_;
  EncoderTable table_;
  std::uint32_t highest_ = kEnd;
  unsigned width_ = kFirstWidth;
  std::uint32_t bits_ = 0;
  unsigned bit_count_ = 0;
};

class Decoder {
 public:
  Decoder(std::string_view packed, std::size_t max_bytes) : packed_(packed), max_(max_bytes) {}

  Result<std::string> run() {
    while (true) {
      std::uint32_t code = 0;
      if (!take(code)) return fail(ErrorCode::Corrupt, "LZW data without an end code");
      if (code == kEnd) return std::move(out_);
      if (code == kClear) {
        width_ = kFirstWidth;
        highest_ = kEnd;
        previous_ = kNone;
        continue;
      }
      if (code > highest_ || (code == highest_ && previous_ == kNone)) {
        return fail(ErrorCode::Corrupt, "LZW code beyond the table");
      }
      if (auto added = append(code); !added) return fail(added.error());
    }
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  bool take(std::uint32_t& code) {
    while (bit_count_ < width_) {
      if (position_ == packed_.size()) return false;
      bits_ |= static_cast<std::uint32_t>(static_cast<std::uint8_t>(packed_[position_++]))
               << bit_count_;
      bit_count_ += 8;
    }
    code = bits_ & ((1u << width_) - 1);
    bits_ >>= width_;
    bit_count_ -= width_;
    return true;
  }

  // A code that is just being defined is the previous string and that one's first byte.
  Result<> append(std::uint32_t code) {
    const bool is_new = code == highest_;
    const std::uint32_t known = is_new ? previous_ : code;
    const std::size_t size = length_of(known) + (is_new ? 1 : 0);
    if (size > max_ - out_.size()) {
      return fail(ErrorCode::TooLarge, "LZW data grows beyond " + std::to_string(max_) + " bytes");
    }
    const std::size_t begin = out_.size();
    out_.resize(begin + size);
    write_string(known, begin);
    if (is_new) out_.back() = out_[begin];
    define(static_cast<std::uint8_t>(out_[begin]));
    previous_ = code;
    advance();
    return {};
  }

  std::size_t length_of(std::uint32_t code) const {
    return code < kClear ? 1 : entries_[code].length;
  }

  void write_string(std::uint32_t code, std::size_t begin) {
    std::size_t end = begin + length_of(code);
    for (; code >= kClear; code = entries_[code].prefix) {
      out_[--end] = static_cast<char>(entries_[code].last);
    }
    out_[begin] = static_cast<char>(code);
  }

  void define(std::uint8_t last) {
    if (previous_ == kNone || highest_ > kLastCode) return;
    const auto length = static_cast<std::uint16_t>(length_of(previous_) + 1);
    entries_[highest_] = {static_cast<std::uint16_t>(previous_), length, last};
  }

  // A full table stays as it is until it is cleared.
  void advance() {
    if (highest_ > kLastCode) return;
    ++highest_;
    if (highest_ == 1u << width_ && width_ < kLastWidth) ++width_;
  }

  struct Entry {
    std::uint16_t prefix;
    std::uint16_t length;
    std::uint8_t last;
  };

  std::string_view packed_;
  std::size_t position_ = 0;
  std::size_t max_;
  std::string out_;
  std::array<Entry, kLastCode + 1> entries_;
  std::uint32_t highest_ = kEnd;
  std::uint32_t previous_ = kNone;
  unsigned width_ = kFirstWidth;
  std::uint32_t bits_ = 0;
  unsigned bit_count_ = 0;
};

}  // namespace

std::string lzw_compress(std::string_view plain) {
  return Encoder(plain).run();
}

Result<std::string> lzw_decompress(std::string_view packed, std::size_t max_bytes) {
  return Decoder(packed, max_bytes).run();
}

}  // namespace dkron::codec
