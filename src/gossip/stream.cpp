// [f4 length label] [0a u32 length, encrypted] message
#include "gossip/stream.h"

#include "gossip/compress.h"

namespace dkron::gossip {
namespace {

constexpr std::size_t kSealedHeadBytes = 5;
constexpr std::size_t kMaxHeadBytes = 2 + kMaxLabelBytes + kSealedHeadBytes;

bool has_type(std::string_view bytes, MessageType type) {
  return !bytes.empty() && static_cast<std::uint8_t>(bytes[0]) == static_cast<std::uint8_t>(type);
}

std::string sealed_head(std::size_t size) {
  std::string head(1, static_cast<char>(MessageType::Encrypt));
  for (int shift = 24; shift >= 0; shift -= 8) head.push_back(static_cast<char>(size >> shift));
  return head;
}

std::size_t sealed_size(std::string_view head) {
  std::size_t size = 0;
  for (const char c : head.substr(1, 4)) size = size << 8 | static_cast<std::uint8_t>(c);
  return size;
}

}  // namespace

StreamReader::StreamReader(const Framing& framing, StreamRole sender)
    : framing_(framing), sender_(sender) {}

Result<std::optional<StreamMessage>> StreamReader::feed(std::string_view bytes) {
  if (stage_ == Stage::Done) return std::nullopt;
  if (stage_ == Stage::Failed) return fail(error_);
  received_ += bytes;
  auto message = advance();
  if (message && !*message && received_.size() > kMaxStreamBytes + kMaxHeadBytes) {
    message = fail(ErrorCode::TooLarge,
                   "stream of more than " + std::to_string(kMaxStreamBytes) + " bytes");
  }
  if (!message) {
    error_ = message.error();
    stage_ = Stage::Failed;
  } else if (*message) {
    stage_ = Stage::Done;
  }
  if (stage_ == Stage::Done || stage_ == Stage::Failed) std::string().swap(received_);
  return message;
}

Result<std::optional<StreamMessage>> StreamReader::advance() {
  if (stage_ == Stage::Label) {
    const auto is_read = read_label();
    if (!is_read) return fail(is_read.error());
    if (!*is_read) return std::nullopt;
    stage_ = Stage::Body;
  }
  const std::string_view body = std::string_view(received_).substr(body_);
  if (body.empty()) return std::nullopt;
  const bool is_sealed = has_type(body, MessageType::Encrypt);
  if (is_sealed && framing_.keyring == nullptr) {
    return fail(ErrorCode::Corrupt, "remote state is encrypted and encryption is not configured");
  }
  if (!is_sealed && framing_.keyring != nullptr) {
    return fail(ErrorCode::Corrupt, "encryption is configured but remote state is not encrypted");
  }
  return is_sealed ? read_sealed() : parser_.parse(body);
}

// True when the label, or that there is none, is known.
Result<bool> StreamReader::read_label() {
  if (received_.empty()) return false;
  std::string_view label;
  if (has_type(received_, MessageType::HasLabel)) {
    if (received_.size() < 2) return false;
    const std::size_t size = static_cast<std::uint8_t>(received_[1]);
    if (size == 0) return fail(ErrorCode::Corrupt, "stream with an empty label");
    if (received_.size() < 2 + size) return false;
    label = std::string_view(received_).substr(2, size);
    body_ = 2 + size;
  }
  const bool is_expected = sender_ == StreamRole::Dialler ? label == framing_.label : label.empty();
  if (!is_expected) return fail(ErrorCode::Corrupt, "stream with another label");
  return true;
}

Result<std::optional<StreamMessage>> StreamReader::read_sealed() {
  const std::string_view body = std::string_view(received_).substr(body_);
  if (body.size() < kSealedHeadBytes) return std::nullopt;
  const std::string_view head = body.substr(0, kSealedHeadBytes);
  const std::size_t size = sealed_size(head);
  if (size > kMaxStreamBytes) {
    return fail(ErrorCode::TooLarge,
                "remote state of " + std::to_string(size) + " bytes is larger than limit");
  }
  const std::string_view sealed = body.substr(kSealedHeadBytes);
  if (sealed.size() < size) return std::nullopt;
  const auto plain =
      framing_.keyring->open(sealed.substr(0, size), std::string(head) + framing_.label);
  if (!plain) return fail(plain.error());
  auto message = parser_.parse(*plain);
  if (message && !*message) return fail(ErrorCode::Corrupt, "encrypted stream ends early");
  return message;
}

std::string seal_stream(const StreamMessage& message, StreamRole sender, const Framing& framing) {
  std::string bytes = encode_stream(message);
  if (framing.compress) bytes = compress(bytes);
  if (framing.keyring != nullptr) {
    std::string head = sealed_head(bytes.size() + Keyring::kOverheadBytes);
    bytes = head + framing.keyring->seal(bytes, head + framing.label);
  }
  return sender == StreamRole::Dialler ? label_header(framing.label) + bytes : bytes;
}

}  // namespace dkron::gossip
