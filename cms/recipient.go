package cms

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
)

// RecipientKind is how a recipient gets at the content key: RFC 5652 6.2.
type RecipientKind string

// The kinds of recipients.
const (
	KeyTransport     RecipientKind = "key-transport"
	KeyAgreement     RecipientKind = "key-agreement"
	KeyEncryptionKey RecipientKind = "key-encryption-key"
	Password         RecipientKind = "password"
	KeyEncapsulation RecipientKind = "key-encapsulation" // RFC 9629
	OtherRecipient   RecipientKind = "other"
)

// RecipientInfo says for whom a message is encrypted. A key agreement with several recipients counts as several.
type RecipientInfo struct {
	Kind RecipientKind
	// Recipient names the recipient's certificate; zero for kinds that name none.
	Recipient EntityIdentifier
	// SharedKeyID is the name of the shared key of a KeyEncryptionKey recipient.
	SharedKeyID []byte
	// Iterations is how often the key derivation of a Password recipient goes round; 0 if it is one that is not known.
	Iterations int
	// KeyEncryption is how the content key is encrypted; of KeyEncapsulation the mechanism, such as ML-KEM-768.
	KeyEncryption Algorithm
	// EncryptedKeyHash is SHA-256 of the encrypted content key. Who remembers those seen under an AEAD can refuse them
	// under another cipher: a downgrade.
	EncryptedKeyHash [32]byte
}

// Matches tells whether cert is the certificate that the recipient is named by.
func (r RecipientInfo) Matches(cert *x509.Certificate) bool { return r.Recipient.Matches(cert) }

// fits tells whether key is of the kind that the recipient needs, and may be the one it is named by.
func (r RecipientInfo) fits(key DecryptionKey) bool {
	switch k := key.Key.(type) {
	case Passphrase:
		return r.Kind == Password
	case SharedKey:
		return r.Kind == KeyEncryptionKey && (len(k.ID) == 0 || bytes.Equal(k.ID, r.SharedKeyID))
	}
	return r.Matches(key.Certificate)
}

// target is a recipient together with what its key is needed for.
type target struct {
	RecipientInfo
	encryptedKey  []byte
	agreement     *agreement     // of key agreement
	password      *passwordBased // of a password
	encapsulation *encapsulation // of key encapsulation
}

// readRecipients reads the set of RecipientInfos and hands each to keep, in the order of the message.
func (r *Reader) readRecipients(keep func(target)) error {
	b, l := r.b, r.limits
	if err := b.enter(tagSet, "the set of recipients"); err != nil {
		return err
	}
	issuers := map[string][]byte{} // a company's mail names the same issuer thousands of times
	for count, total := 0, 0; ; {
		_, more, err := b.peek()
		if err != nil {
			return err
		}
		if !more {
			if count == 0 {
				return malformed("it has no recipients")
			}
			return b.leave()
		}
		p, err := b.element(l.RecipientBytes, "one recipient")
		if err != nil {
			return err
		}
		if total += len(p); total > l.RecipientsBytes {
			return tooLarge("bytes of recipients", int64(l.RecipientsBytes))
		}
		targets, err := parseRecipient(p, l)
		if err != nil {
			return err
		}
		if count += len(targets); count > l.Recipients {
			return tooLarge("recipients", int64(l.Recipients))
		}
		for _, t := range targets {
			if name := t.Recipient.Issuer; name != nil {
				if issuers[string(name)] == nil {
					issuers[string(name)] = name
				}
				t.Recipient.Issuer = issuers[string(name)]
			}
			keep(t)
		}
	}
}

// parseRecipient reads one RecipientInfo in DER: RFC 5652 6.2.
func parseRecipient(p []byte, l Limits) ([]target, error) {
	e, ok := parseElement(p)
	if !ok || !e.constructed {
		return nil, malformed("a recipient cannot be read")
	}
	fields := cursor(e.contents)
	var targets []target
	switch e.tag {
	case tagSequence:
		targets, ok = parseTransport(fields)
	case context(1):
		targets, ok = parseAgreement(fields)
	case context(2):
		targets, ok = parseSharedKey(fields)
	case context(3):
		targets, ok = parsePassword(fields)
	case context(4):
		targets, ok = parseOther(fields)
	default:
		targets, ok = []target{{RecipientInfo: RecipientInfo{Kind: OtherRecipient}}}, true
	}
	if !ok {
		return nil, malformed("a recipient cannot be read")
	}
	for i, t := range targets {
		if len(t.KeyEncryption.Parameters) > l.ParameterBytes {
			return nil, tooLarge("bytes of algorithm parameters", int64(l.ParameterBytes))
		}
		targets[i].EncryptedKeyHash = sha256.Sum256(t.encryptedKey)
	}
	return targets, nil
}

// parseTransport reads the fields of a KeyTransRecipientInfo: RFC 5652 6.2.1.
func parseTransport(fields cursor) ([]target, bool) {
	t := target{RecipientInfo: RecipientInfo{Kind: KeyTransport}}
	var ok bool
	if _, ok = fields.take(tagInteger); !ok {
		return nil, false
	}
	if t.Recipient, ok = parseIdentifier(&fields); !ok {
		return nil, false
	}
	if t.KeyEncryption, ok = ownAlgorithm(&fields); !ok {
		return nil, false
	}
	key, ok := fields.take(tagOctetString)
	t.encryptedKey = key.contents
	return []target{t}, ok && !key.constructed && len(fields) == 0
}

// ownAlgorithm takes an AlgorithmIdentifier and copies it, so that what is kept of a recipient does not hold on to all of it.
func ownAlgorithm(fields *cursor) (Algorithm, bool) {
	a, ok := fields.algorithm(tagSequence)
	a.Parameters = bytes.Clone(a.Parameters)
	return a, ok
}

// parseAgreement reads the fields of a KeyAgreeRecipientInfo: RFC 5652 6.2.2. What is well-formed but not supported gives
// recipients that no key opens.
func parseAgreement(fields cursor) ([]target, bool) {
	if _, ok := fields.take(tagInteger); !ok {
		return nil, false
	}
	originator, ok := fields.take(context(0))
	if !ok {
		return nil, false
	}
	a := &agreement{}
	if e, found := fields.take(context(1)); found {
		inner := cursor(e.contents)
		ukm, ok := inner.take(tagOctetString)
		if !ok || len(inner) != 0 {
			return nil, false
		}
		a.ukm = append([]byte{}, ukm.contents...)
	}
	alg, ok := ownAlgorithm(&fields)
	if !ok {
		return nil, false
	}
	a.usable = a.readOriginator(originator.contents) && a.readAlgorithm(alg)
	keys, ok := fields.take(tagSequence)
	if !ok || len(fields) != 0 {
		return nil, false
	}
	var targets []target
	for list := cursor(keys.contents); len(list) > 0; {
		t, ok := parseEncryptedKey(&list)
		if !ok {
			return nil, false
		}
		t.KeyEncryption, t.agreement = alg, a
		targets = append(targets, t)
	}
	return targets, true
}

// parseEncryptedKey takes one RecipientEncryptedKey.
func parseEncryptedKey(list *cursor) (target, bool) {
	t := target{RecipientInfo: RecipientInfo{Kind: KeyAgreement}}
	e, ok := list.take(tagSequence)
	if !ok {
		return t, false
	}
	fields := cursor(e.contents)
	if id, found := fields.take(context(0)); found { // RecipientKeyIdentifier; date and other stay unread
		inner := cursor(id.contents)
		keyID, ok := inner.take(tagOctetString)
		if !ok {
			return t, false
		}
		t.Recipient.KeyID = bytes.Clone(keyID.contents)
	} else if t.Recipient, ok = parseIdentifier(&fields); !ok {
		return t, false
	}
	key, ok := fields.take(tagOctetString)
	t.encryptedKey = key.contents
	return t, ok && !key.constructed && len(fields) == 0
}

// readOriginator reads an OriginatorIdentifierOrKey; only an ephemeral public key will do.
func (a *agreement) readOriginator(p []byte) bool {
	choice := cursor(p)
	e, ok := choice.take(context(1))
	if !ok || len(choice) != 0 {
		return false
	}
	fields := cursor(e.contents)
	alg, ok := fields.algorithm(tagSequence)
	if !ok || alg.OID != oidECPublicKey && alg.OID != oidX25519 {
		return false
	}
	a.keyType = alg.OID
	bits, ok := fields.take(tagBitString)
	if !ok || len(fields) != 0 || len(bits.contents) < 2 || bits.contents[0] != 0 {
		return false
	}
	a.point = bytes.Clone(bits.contents[1:])
	return true
}

// readAlgorithm reads the key agreement scheme and the key wrap in its parameters: RFC 5753 7.1.4, RFC 8418 2.
func (a *agreement) readAlgorithm(alg Algorithm) bool {
	for _, scheme := range agreementTable {
		if alg.OID == scheme.oid {
			a.kdf = scheme.kdf
		}
	}
	parameters := cursor(alg.Parameters)
	wrap, ok := parameters.algorithm(tagSequence)
	if !ok || len(parameters) != 0 {
		return false
	}
	a.wrap = alg.Parameters
	a.keyBytes = wrapKeyBytes(wrap)
	if wrap.OID == oidTripleDESWrap {
		a.keyBytes, a.tripleDES = 24, true
	}
	return a.kdf.Hash != 0 && a.keyBytes != 0
}
