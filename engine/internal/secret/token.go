package secret

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
)

// The secrets of this file are random and at least 24 bytes long. Nobody can
// guess them, so a plain SHA-256 hides them: there is nothing to gain by a slow
// hash.

const tokenPrefix = "sr_"

// Key is the secret of an API key.
type Key [sha256.Size]byte

// NewKey makes a secret at random.
func NewKey() (k Key) {
	rand.Read(k[:]) // never fails: crypto/rand
	return k
}

// Hash is what a vault keeps of the secret.
func (k Key) Hash() [sha256.Size]byte { return sha256.Sum256(k[:]) }

// Token is what the holder of the key keeps:
//
//	sr_<vault>_<key id>_<secret, base64url>
//
// Neither the name of a vault nor the id of a key has an underscore.
func (k Key) Token(vault, keyID string) string {
	return TokenPrefix(vault, keyID) + base64.RawURLEncoding.EncodeToString(k[:])
}

// TokenPrefix is how the token of a key begins: enough to recognise it, not to
// use it.
func TokenPrefix(vault, keyID string) string { return tokenPrefix + vault + "_" + keyID + "_" }

// TokenVault returns the name of the vault that a token says it is for, "" if it
// is not a token. It proves nothing.
func TokenVault(token string) string {
	vault, _, _, ok := cutToken(token)
	if !ok {
		return ""
	}
	return vault
}

// TokenKey returns the vault and the key that a token says it is of, in one text,
// "" if it is not a token.
func TokenKey(token string) string {
	vault, keyID, _, ok := cutToken(token)
	if !ok {
		return ""
	}
	return vault + "_" + keyID
}

func cutToken(token string) (vault, keyID, text string, ok bool) {
	rest, ok := strings.CutPrefix(token, tokenPrefix)
	if !ok {
		return "", "", "", false
	}
	vault, rest, _ = strings.Cut(rest, "_")
	keyID, text, ok = strings.Cut(rest, "_")
	return vault, keyID, text, ok
}

// calendarPrefix begins no API key, so that neither passes for the other.
const calendarPrefix = "srcal_"

// CalendarToken is what the address of a user's calendar has:
//
//	srcal_<vault>_<user id>_<secret, base64url>
func (k Key) CalendarToken(vault, userID string) string {
	return calendarPrefix + strings.TrimPrefix(k.Token(vault, userID), tokenPrefix)
}

// ParseCalendarToken takes the token of a calendar apart; its KeyID is a user's.
func ParseCalendarToken(token string) Token {
	rest, is := strings.CutPrefix(token, calendarPrefix)
	t := ParseToken(tokenPrefix + rest)
	t.wellFormed = t.wellFormed && is
	return t
}

// Token is a token that somebody presents, taken apart. Any text makes one, so
// that one that is malformed takes the same work as one that is wrong.
type Token struct {
	Vault, KeyID string
	hash         [sha256.Size]byte
	wellFormed   bool
}

// ParseToken takes a token apart.
func ParseToken(token string) Token {
	vault, keyID, text, ok := cutToken(token)
	secret, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(text) != base64.RawURLEncoding.EncodedLen(len(Key{})) { // decoding passes over line breaks
		ok = false
	}
	return Token{vault, keyID, sha256.Sum256(secret), ok}
}

// Fits says whether the token has the secret whose hash was kept. The time it
// takes tells nothing of that hash. A malformed token fits nothing.
func (t Token) Fits(kept [sha256.Size]byte) bool {
	return subtle.ConstantTimeCompare(t.hash[:], kept[:]) == 1 && t.wellFormed
}

// clientPrefix is how the secret of a client begins. It names no vault: the id of
// the client goes beside it.
const clientPrefix = "srs_"

// ClientSecret is what a client keeps: srs_ and the secret in base64url.
func (k Key) ClientSecret() string { return clientPrefix + base64.RawURLEncoding.EncodeToString(k[:]) }

// ParseClientSecret takes the secret of a client apart, as ParseToken does a token.
func ParseClientSecret(given string) Token {
	text, ok := strings.CutPrefix(given, clientPrefix)
	secret, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(text) != base64.RawURLEncoding.EncodedLen(len(Key{})) {
		ok = false
	}
	return Token{hash: sha256.Sum256(secret), wellFormed: ok}
}

// SigningKeySize is how long the key of a webhook is, in bytes.
const SigningKeySize = 24

// NewSigningKey makes the key that the messages of a webhook are signed with, at
// random.
func NewSigningKey() []byte {
	key := make([]byte, SigningKeySize)
	rand.Read(key) // never fails: crypto/rand
	return key
}

// SpellSigningKey is how the receiver of a webhook is told its key: as Standard
// Webhooks does, whsec_ and the base64 of a key of HMAC-SHA256.
func SpellSigningKey(key []byte) string {
	return "whsec_" + base64.StdEncoding.EncodeToString(key)
}

// LockKeySize is how long the key of lock tokens is, in bytes.
const LockKeySize = sha256.Size

// LockKey derives the tokens of locks. Nobody has to store them, and whoever has
// the key can make them.
type LockKey []byte

// NewLockKey makes a key at random.
func NewLockKey() LockKey {
	key := make([]byte, LockKeySize)
	rand.Read(key) // never fails: crypto/rand
	return key
}

// Token is what proves a lock. A lock of another document, of a later fence, or
// of another user, has another.
func (k LockKey) Token(documentID string, fence uint64, userID string) string {
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte(documentID + "\n" + strconv.FormatUint(fence, 10) + "\n" + userID))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Fits says whether a token is that of the lock. The time it takes does not tell
// how much of it is right.
func (k LockKey) Fits(token, documentID string, fence uint64, userID string) bool {
	return hmac.Equal([]byte(k.Token(documentID, fence, userID)), []byte(token))
}
