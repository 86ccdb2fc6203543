#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <array>
#include <mutex>

namespace dkron::net {
namespace {

using Context = std::shared_ptr<ssl_ctx_st>;

constexpr std::size_t kFileLimitBytes = 1024 * 1024;

// The newest cause that OpenSSL has, without its own prefixes.
std::string last_cause() {
  const unsigned long code = ::ERR_peek_last_error();
  ::ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ::ERR_reason_error_string(code);
  return reason == nullptr ? "not a PEM file of the expected kind" : reason;
}

tl::unexpected<Error> invalid(const Path& file, const std::string& cause) {
  return fail(ErrorCode::InvalidArgument, "tls: " + file.string() + ": " + cause);
}

Result<std::string> read_text(const Path& file) {
  if (file.empty()) return std::string();
  auto text = read_file(file, kFileLimitBytes);
  if (!text) return fail(ErrorCode::InvalidArgument, "tls: " + text.error().message);
  return std::move(*text);
}

using Bio = std::unique_ptr<BIO, decltype(&::BIO_free)>;
Bio bio_of(const std::string& text) {
  return {::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &::BIO_free};
}

using Certificate = std::unique_ptr<X509, decltype(&::X509_free)>;
Certificate next_certificate(BIO* bio) {
  return {::PEM_read_bio_X509(bio, nullptr, nullptr, nullptr), &::X509_free};
}

Result<void> use_certificate(SSL_CTX* context, const Path& file, const std::string& text) {
  const Bio bio = bio_of(text);
  const Certificate own = next_certificate(bio.get());
  if (own == nullptr || ::SSL_CTX_use_certificate(context, own.get()) != 1)
    return invalid(file, last_cause());
  while (const Certificate issuer = next_certificate(bio.get())) {
    if (::SSL_CTX_add1_chain_cert(context, issuer.get()) != 1) return invalid(file, last_cause());
  }
  ::ERR_clear_error();  // The end of the file.
  return {};
}

// An encrypted key has nobody to ask for its password.
int no_password(char*, int, int, void*) {
  return -1;
}

Result<void> use_key(SSL_CTX* context, const Path& file, const std::string& text) {
  const Bio bio = bio_of(text);
  const std::unique_ptr<EVP_PKEY, decltype(&::EVP_PKEY_free)> key(
      ::PEM_read_bio_PrivateKey(bio.get(), nullptr, &no_password, nullptr), &::EVP_PKEY_free);
  if (key == nullptr) return invalid(file, last_cause());
  if (::SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
      ::SSL_CTX_check_private_key(context) != 1)
    return invalid(file, "is not the key of the certificate");
  return {};
}

Result<void> trust(SSL_CTX* context, const Path& file, const std::string& text) {
  const Bio bio = bio_of(text);
  int count = 0;
  while (const Certificate certificate = next_certificate(bio.get())) {
    ++count;
    ::X509_STORE_add_cert(::SSL_CTX_get_cert_store(context), certificate.get());
    ::SSL_CTX_add_client_CA(context, certificate.get());
  }
  if (count == 0) return invalid(file, last_cause());
  ::ERR_clear_error();
  return {};
}

Result<void> revoke(SSL_CTX* context, const Path& file, const std::string& text) {
  const Bio bio = bio_of(text);
  X509_STORE* store = ::SSL_CTX_get_cert_store(context);
  int count = 0;
  while (X509_CRL* list = ::PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)) {
    ++count;
    ::X509_STORE_add_crl(store, list);
    ::X509_CRL_free(list);
  }
  if (count == 0) return invalid(file, last_cause());
  ::ERR_clear_error();
  ::X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  return {};
}

// Clients say what they speak (gRPC's insist on an answer); the session knows what is served there.
int choose_protocol(SSL* session, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  const auto* served = static_cast<const char*>(SSL_get_app_data(session));
  if (served == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const std::string_view wanted(served);
  for (unsigned at = 0; at < offered_size; at += 1U + offered[at]) {
    const std::string_view one(reinterpret_cast<const char*>(offered + at + 1), offered[at]);
    if (one != wanted) continue;
    *chosen = offered + at + 1;
    *size = offered[at];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

Context new_context(const SSL_METHOD* method) {
  Context context(::SSL_CTX_new(method), &::SSL_CTX_free);
  SSL_CTX* raw = context.get();
  ::SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  ::SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION);
  return context;
}

struct Loaded {
  TlsTexts texts;
  Context server;
  Context client;
};

Result<void> fill(SSL_CTX* context, const TlsFiles& files, const TlsTexts& texts) {
  if (!files.certificate.empty()) {
    if (auto used = use_certificate(context, files.certificate, texts.certificate); !used)
      return used;
    if (auto used = use_key(context, files.key, texts.key); !used) return used;
  }
  if (!files.trusted.empty()) return trust(context, files.trusted, texts.trusted);
  return {};
}

Result<Loaded> load(const TlsFiles& files) {
  if (files.certificate.empty() != files.key.empty())
    return fail(ErrorCode::InvalidArgument, "tls: a certificate and its key belong together");
  if (files.verify_clients && files.trusted.empty())
    return fail(ErrorCode::InvalidArgument,
                "tls: certificates of clients cannot be checked without trusted ones");
  auto certificate = read_text(files.certificate);
  auto key = read_text(files.key);
  auto trusted = read_text(files.trusted);
  auto revoked = read_text(files.revoked);
  for (const auto* text : {&certificate, &key, &trusted, &revoked}) {
    if (!*text) return fail(text->error());
  }
  Loaded loaded{{std::move(*certificate), std::move(*key), std::move(*trusted)},
                new_context(::TLS_server_method()),
                new_context(::TLS_client_method())};
  for (const Context& context : {loaded.server, loaded.client}) {
    if (auto filled = fill(context.get(), files, loaded.texts); !filled)
      return fail(filled.error());
  }
  SSL_CTX* server = loaded.server.get();
  ::SSL_CTX_set_alpn_select_cb(server, &choose_protocol, nullptr);
  constexpr std::array<unsigned char, 5> kSessions = {'d', 'k', 'r', 'o', 'n'};
  ::SSL_CTX_set_session_id_context(server, kSessions.data(), kSessions.size());
  if (files.verify_clients) {
    ::SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    if (!files.revoked.empty()) {
      if (auto done = revoke(server, files.revoked, *revoked); !done) return fail(done.error());
    }
  }
  ::SSL_CTX_set_verify(loaded.client.get(), SSL_VERIFY_PEER, nullptr);
  if (files.trusted.empty()) ::SSL_CTX_set_default_verify_paths(loaded.client.get());
  return loaded;
}

class FileTls final : public Tls {
 public:
  FileTls(TlsFiles files, Loaded loaded) : files_(std::move(files)), loaded_(std::move(loaded)) {}

  Result<void> reload() override {
    auto loaded = load(files_);
    if (!loaded) return fail(loaded.error());
    const std::lock_guard lock(mutex_);
    loaded_ = std::move(*loaded);
    return {};
  }
  TlsTexts texts() const override {
    const std::lock_guard lock(mutex_);
    return loaded_.texts;
  }
  Context server_context() const override {
    const std::lock_guard lock(mutex_);
    return loaded_.server;
  }
  Context client_context() const override {
    const std::lock_guard lock(mutex_);
    return loaded_.client;
  }

 private:
  const TlsFiles files_;
  mutable std::mutex mutex_;
  Loaded loaded_;
};

}  // namespace

Result<TlsPtr> Tls::open(TlsFiles files) {
  auto loaded = load(files);
  if (!loaded) return fail(loaded.error());
  return std::make_shared<FileTls>(std::move(files), std::move(*loaded));
}

}  // namespace dkron::net
