package secret_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"strongroom/engine/internal/secret"
)

// counting is a key that is not random: 0, 1, 2, …
func counting() (k secret.Key) {
	for i := range k {
		k[i] = byte(i)
	}
	return k
}

// What vaults hold and clients send stays as it is: these were made by openssl
// and base64.
func TestFormsOfTokens(t *testing.T) {
	k := counting()
	hash := k.Hash()
	if got := hex.EncodeToString(hash[:]); got != "630dcd2966c4336691125448bbb25b4ff412a49c732db2c8abc1b8581bd710dd" {
		t.Errorf("the hash of a key: %s", got)
	}
	if got := k.Token("acme-2", "01JKEY"); got != "sr_acme-2_01JKEY_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" {
		t.Errorf("the token of a key: %s", got)
	}
	feed := k.CalendarToken("acme-2", "01JUSER")
	if feed != "srcal_acme-2_01JUSER_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" {
		t.Errorf("the token of a calendar: %s", feed)
	}
	if of := secret.ParseCalendarToken(feed); !of.Fits(hash) || of.Vault != "acme-2" || of.KeyID != "01JUSER" || secret.ParseToken(feed).Fits(hash) {
		t.Errorf("%+v", of)
	}
	if secret.ParseCalendarToken(k.Token("acme-2", "01JUSER")).Fits(hash) {
		t.Error("the token of a key is that of a calendar")
	}
	if got := secret.TokenPrefix("acme-2", "01JKEY"); got != "sr_acme-2_01JKEY_" {
		t.Errorf("the prefix of a token: %s", got)
	}
	if got := secret.SpellSigningKey(k[:24]); got != "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX" {
		t.Errorf("the secret of a webhook: %s", got)
	}
	if got := secret.SpellSigningKey(bytes.Repeat([]byte{255}, 24)); got != "whsec_"+strings.Repeat("/", 32) {
		t.Errorf("the secret of a webhook: %s", got)
	}
	if got := secret.LockKey(k[:]).Token("01JDOC", 7, "01JUSER"); got != "kQq4seuC-WvhbJo5ZKo8uoGQ7zFgfBnkCERFjU7vAPQ" {
		t.Errorf("the token of a lock: %s", got)
	}
}

func TestTokenOfAKey(t *testing.T) {
	k := secret.NewKey()
	for i := range k { // so that the text has underscores, which tokens are cut at
		k[i] |= 0xfc
	}
	token := k.Token("acme", "01JKEY")
	if !strings.Contains(strings.TrimPrefix(token, "sr_acme_01JKEY_"), "_") {
		t.Fatalf("%s has no underscore", token)
	}
	given := secret.ParseToken(token)
	if given.Vault != "acme" || given.KeyID != "01JKEY" || !given.Fits(k.Hash()) || given.Fits(secret.NewKey().Hash()) || given.Fits([32]byte{}) {
		t.Errorf("%s is taken for %+v", token, given)
	}
	if got := secret.TokenVault(token); got != "acme" {
		t.Errorf("%s is for the vault %q", token, got)
	}
	for _, other := range []string{
		token[:len(token)-1], token + "A", token + "=", token + "\n", token[:len(token)-4] + "\n" + token[len(token)-4:],
		" " + token, strings.ToUpper(token), strings.Replace(token, "sr_", "", 1), "sr_acme_01JKEY_", "sr_acme_01JKEY", "sr_acme", "sr_", "",
		// The last digit has two bits that say nothing. They must be zero.
		counting().Token("acme", "01JKEY")[:len(token)-1] + "9",
	} {
		if secret.ParseToken(other).Fits(k.Hash()) || secret.ParseToken(other).Fits(counting().Hash()) {
			t.Errorf("%q fits", other)
		}
	}
	for token, vault := range map[string]string{"sr_acme_1_": "acme", "sr_acme_1": "", "sr_acme": "", "acme_1_2": "", "": "", "sr__1_2": ""} {
		if got := secret.TokenVault(token); got != vault {
			t.Errorf("%q is for the vault %q, want %q", token, got, vault)
		}
	}
}

func TestTokenOfALock(t *testing.T) {
	k := secret.NewLockKey()
	token := k.Token("document", 7, "user")
	if !k.Fits(token, "document", 7, "user") {
		t.Error("a token does not fit its lock")
	}
	if k.Fits(token, "another", 7, "user") || k.Fits(token, "document", 8, "user") || k.Fits(token, "document", 7, "another") ||
		k.Fits(token[1:], "document", 7, "user") || k.Fits("", "document", 7, "user") || secret.NewLockKey().Fits(token, "document", 7, "user") {
		t.Error("a token fits another lock")
	}
}

func TestSecretsAreRandom(t *testing.T) {
	one, other := secret.NewKey(), secret.NewKey()
	if one == other || bytes.Equal(secret.NewSigningKey(), secret.NewSigningKey()) || bytes.Equal(secret.NewLockKey(), secret.NewLockKey()) {
		t.Error("two secrets are the same")
	}
	if len(secret.NewSigningKey()) != 24 || len(secret.NewLockKey()) != secret.LockKeySize {
		t.Error("a secret has another length")
	}
}

// FuzzParseToken: a token fits only the key that it is spelled from.
func FuzzParseToken(f *testing.F) {
	for _, seed := range []string{"", "sr_", counting().Token("acme", "01JKEY"), counting().Token("", ""), "sr_a_b_c_d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		k := counting()
		given := secret.ParseToken(token)
		if fits := given.Fits(k.Hash()); fits != (token == k.Token(given.Vault, given.KeyID)) {
			t.Errorf("%q fits: %v", token, fits)
		}
		if vault := secret.TokenVault(token); vault != "" && vault != given.Vault {
			t.Errorf("%q is for %q and for %q", token, vault, given.Vault)
		}
	})
}
