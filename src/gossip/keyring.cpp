#include "gossip/keyring.h"

#include <openssl/evp.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>
#include <optional>

#include "base/assert.h"
#include "base/base64.h"
#include "base/random.h"

namespace dkron::gossip {
namespace {

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::size_t kBlockBytes = 16;
constexpr char kPaddedVersion = 0;
constexpr char kPlainVersion = 1;

Result<> check_size(std::string_view key) {
  if (key.size() == 16 || key.size() == 24 || key.size() == 32) return {};
  return fail(ErrorCode::InvalidArgument, "key size must be 16, 24 or 32 bytes");
}

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

const EVP_CIPHER* cipher_of(std::string_view key) {
  switch (key.size()) {
    case 16: return EVP_aes_128_gcm();
    case 24: return EVP_aes_192_gcm();
    default: return EVP_aes_256_gcm();
  }
}

const unsigned char* data_of(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* data_of(std::string& bytes) {
  return reinterpret_cast<unsigned char*>(bytes.data());
}
// Messages end far below 2 GiB (kMaxStreamBytes).
int size_of(std::string_view bytes) {
  DK_ASSERT(bytes.size() < std::size_t{1} << 30);
  return static_cast<int>(bytes.size());
}

// Ready for data; failing means that OpenSSL has no memory or no AES.
Context start(std::string_view key, std::string_view nonce, std::string_view associated,
              bool is_encrypting) {
  Context context(EVP_CIPHER_CTX_new());
  DK_ASSERT(context != nullptr);
  DK_ASSERT(EVP_CipherInit_ex(context.get(), cipher_of(key), nullptr, data_of(key), data_of(nonce),
                              is_encrypting ? 1 : 0) == 1);
  int ignored = 0;
  if (!associated.empty()) {
    DK_ASSERT(EVP_CipherUpdate(context.get(), nullptr, &ignored, data_of(associated),
                               size_of(associated)) == 1);
  }
  return context;
}

std::optional<std::string> decrypt(std::string_view key, std::string_view nonce,
                                   std::string_view cipher_text, std::string_view tag,
                                   std::string_view associated) {
  const Context context = start(key, nonce, associated, false);
  std::string plain(cipher_text.size(), '\0');
  int written = 0;
  if (!cipher_text.empty() && EVP_CipherUpdate(context.get(), data_of(plain), &written,
                                               data_of(cipher_text), size_of(cipher_text)) != 1) {
    return std::nullopt;
  }
  std::string expected(tag);
  unsigned char nothing[kBlockBytes];
  EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, expected.data());
  if (EVP_CipherFinal_ex(context.get(), nothing, &written) != 1) return std::nullopt;
  return plain;
}

// Cuts what version 0 adds: 1 to 16 bytes, each of which is their number.
Result<> cut_padding(std::string& plain) {
  const std::size_t padding = plain.empty() ? 0 : static_cast<unsigned char>(plain.back());
  if (padding == 0 || padding > kBlockBytes || padding > plain.size()) {
    return fail(ErrorCode::Corrupt, "encrypted message with broken padding");
  }
  plain.resize(plain.size() - padding);
  return {};
}

}  // namespace

Result<Keyring> Keyring::make(std::vector<std::string> keys) {
  if (keys.empty()) return fail(ErrorCode::InvalidArgument, "a keyring needs a key");
  Keyring ring;
  for (std::string& key : keys) {
    if (auto installed = ring.install(std::move(key)); !installed) return fail(installed.error());
  }
  return ring;
}

Result<> Keyring::install(std::string key) {
  if (auto checked = check_size(key); !checked) return checked;
  if (std::find(keys_.begin(), keys_.end(), key) != keys_.end()) return {};
  if (keys_.size() == kMaxKeys) {
    return fail(ErrorCode::TooLarge,
                "the keyring holds " + std::to_string(kMaxKeys) + " keys already");
  }
  keys_.push_back(std::move(key));
  return {};
}

Result<> Keyring::use(std::string_view key) {
  const auto found = std::find(keys_.begin(), keys_.end(), key);
  if (found == keys_.end()) {
    return fail(ErrorCode::NotFound, "requested key is not in the keyring");
  }
  std::rotate(keys_.begin(), found, found + 1);
  return {};
}

Result<> Keyring::remove(std::string_view key) {
  const auto found = std::find(keys_.begin(), keys_.end(), key);
  if (found == keys_.end()) return {};
  if (found == keys_.begin()) {
    return fail(ErrorCode::Conflict, "removing the primary key is not allowed");
  }
  keys_.erase(found);
  return {};
}

std::string Keyring::seal(std::string_view plain, std::string_view associated) const {
  const std::string nonce = random_bytes(kNonceBytes);
  const Context context = start(keys_.front(), nonce, associated, true);
  std::string sealed(1, kPlainVersion);
  sealed += nonce;
  const std::size_t head_bytes = sealed.size();
  sealed.resize(head_bytes + plain.size() + kTagBytes);
  unsigned char* const body = data_of(sealed) + head_bytes;
  int written = 0;
  if (!plain.empty()) {
    DK_ASSERT(EVP_CipherUpdate(context.get(), body, &written, data_of(plain), size_of(plain)) == 1);
  }
  DK_ASSERT(EVP_CipherFinal_ex(context.get(), body + plain.size(), &written) == 1);
  DK_ASSERT(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes,
                                body + plain.size()) == 1);
  return sealed;
}

Result<std::string> Keyring::open(std::string_view sealed, std::string_view associated) const {
  if (sealed.empty()) return fail(ErrorCode::Corrupt, "encrypted message is empty");
  const char version = sealed[0];
  if (version != kPaddedVersion && version != kPlainVersion) {
    return fail(ErrorCode::Corrupt, "unsupported encryption version " +
                                        std::to_string(static_cast<unsigned char>(version)));
  }
  const std::size_t least = kOverheadBytes + (version == kPaddedVersion ? kBlockBytes : 0);
  if (sealed.size() < least) {
    return fail(ErrorCode::Corrupt,
                "encrypted message of " + std::to_string(sealed.size()) + " bytes is too small");
  }
  const std::string_view nonce = sealed.substr(1, kNonceBytes);
  const std::string_view tag = sealed.substr(sealed.size() - kTagBytes);
  const std::string_view cipher_text =
      sealed.substr(1 + kNonceBytes, sealed.size() - kOverheadBytes);
  for (const std::string& key : keys_) {
    auto plain = decrypt(key, nonce, cipher_text, tag, associated);
    if (!plain) continue;
    if (version == kPaddedVersion) {
      if (auto cut = cut_padding(*plain); !cut) return fail(cut.error());
    }
    return std::move(*plain);
  }
  return fail(ErrorCode::Corrupt, "no installed keys could decrypt the message");
}

Result<Keyring> parse_keyring(std::string_view text) {
  namespace json = boost::json;
  if (text.size() > kMaxKeyringFileBytes) {
    return fail(ErrorCode::TooLarge, "keyring file of " + std::to_string(text.size()) + " bytes");
  }
  boost::system::error_code error;
  const json::value document = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return fail(ErrorCode::Corrupt, "keyring file: " + error.message());
  const json::array* list = document.if_array();
  if (list == nullptr) return fail(ErrorCode::Corrupt, "keyring file: not a list of keys");
  std::vector<std::string> keys;
  for (const json::value& entry : *list) {
    const json::string* encoded = entry.if_string();
    if (encoded == nullptr) return fail(ErrorCode::Corrupt, "keyring file: a key is not a text");
    auto key = decode_base64({encoded->data(), encoded->size()});
    if (!key) return fail(ErrorCode::Corrupt, "keyring file: " + key.error().message);
    keys.push_back(std::move(*key));
  }
  return Keyring::make(std::move(keys));
}

// As Go's indented JSON; Base64 needs no escapes.
std::string format_keyring(const Keyring& ring) {
  std::string text = "[";
  std::string_view separator = "\n  \"";
  for (const std::string& key : ring.keys()) {
    text.append(separator).append(encode_base64(key)).append("\"");
    separator = ",\n  \"";
  }
  return text + "\n]";
}

}  // namespace dkron::gossip
