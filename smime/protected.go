package smime

import (
	"slices"
	"strings"
)

// ProtectedHeader is a header field that stands under the layers around the whole mail (RFC 9788).
type ProtectedHeader struct {
	// Value is what the author wrote, unfolded.
	Value string `json:"value"`
	// Signed is true where the one signature that makes the mail valid covers it.
	Signed bool `json:"signed"`
	// Encrypted is true where the author hid it: it stands, like this, only inside the encryption.
	Encrypted bool `json:"encrypted"`
	// Outer is the value outside; nil where there is none.
	Outer *string `json:"outer"`
	// Differs is true where Outer is another value: mail programs that do not know RFC 9788 show that one.
	Differs bool `json:"differs"`
	// Altered is true where Outer is not what the author left outside: somebody changed it on the way.
	Altered bool `json:"altered"`
}

// userFacing are the fields that a reader is shown (RFC 9787 1.1.2).
var userFacing = []string{"subject", "from", "to", "cc", "date", "reply-to", "followup-to", "sender", "comments", "keywords",
	"resent-from", "resent-to", "resent-cc", "resent-date", "resent-sender"}

// protectionOf is what the header of a content says of itself: "clear", "cipher", "v1" for the scheme before RFC 9788
// (its 4.11), "" for nothing.
func protectionOf(h *Header) string {
	params := h.contentType().Params
	switch claim := strings.ToLower(params["hp"]); claim {
	case "clear", "cipher":
		return claim
	}
	if params["protected-headers"] != "" {
		return "v1"
	}
	return ""
}

// protect notes the header fields of the cryptographic payload, the content inside every layer around the whole mail,
// where they are said to be the author's (RFC 9788 4.2).
func (o *opener) protect(h *Header) {
	claim := protectionOf(h)
	if claim == "" || o.payload != nil {
		return
	}
	o.payload = h
	left := map[string][]string{} // what the author left outside
	for _, value := range h.All("HP-Outer") {
		name, value, _ := strings.Cut(value, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		left[name] = append(left[name], plainSpace(value))
	}
	for _, field := range h.Fields {
		name := strings.ToLower(field.Name)
		if _, known := o.report.ProtectedHeaders[name]; known || name == "" || field.isContent() || isTrace(name) {
			continue
		}
		p := ProtectedHeader{Value: field.Value()}
		expected := []string{plainSpace(p.Value)}
		if claim == "cipher" {
			expected = left[name]
		}
		var outer []string
		if o.outer != nil {
			outer = o.outer.All(name)
		}
		if len(outer) > 0 {
			p.Outer = &outer[0]
			p.Differs = len(outer) > 1 || plainSpace(outer[0]) != plainSpace(p.Value)
		}
		hidden := !slices.Contains(expected, plainSpace(p.Value))
		if claim == "v1" { // the author did not say: RFC 9788 4.11
			hidden = p.Outer == nil || p.Differs
		} else if o.outer != nil {
			p.Altered = len(outer) != len(expected) || len(outer) > 0 && plainSpace(outer[0]) != expected[0]
		}
		p.Encrypted = hidden && o.encryptions > 0
		o.report.ProtectedHeaders[name] = p
	}
}

// plainSpace makes values comparable that relays have folded anew.
func plainSpace(value string) string { return strings.Join(strings.Fields(value), " ") }

// signProtected marks the protected fields as signed, once the verdict is known.
func (o *opener) signProtected(covered bool) {
	for name, p := range o.report.ProtectedHeaders {
		p.Signed = covered
		o.report.ProtectedHeaders[name] = p
	}
}

// identify is whom a signature is to be by. The protected From decides (RFC 9788 4.4), and where another one stands
// outside there is a doubt: mail programs that do not know of protected fields would show that one in its place. A From
// that the caller gave is above both.
func (o *opener) identify() (who author, doubt *Reason) {
	if o.author.Skip || o.payload == nil || len(o.payload.All("From")) == 0 {
		return o.author, nil
	}
	inner := authorOf(o.payload)
	if o.opts.From != "" {
		if inner.Address == "" || !sameMailbox(inner.Address, o.author.Address) {
			return o.author, &Reason{ProtectedFromDiffers, "Under the signature the mail is from " + orNobody(inner.Address) + "."}
		}
		return o.author, nil
	}
	if o.author.Doubt.Code != "" {
		return o.author, nil // whatever stands inside, nobody knows what readers are shown: a Sender, or nobody
	}
	o.report.From = inner.Address
	if inner.Address == "" || !sameMailbox(inner.Address, o.author.Address) {
		doubt = &Reason{ProtectedFromDiffers, "Under the signature the mail is from " + orNobody(inner.Address) +
			", but mail programs may show " + o.author.Address + "."}
	}
	return inner, doubt
}

func orNobody(address string) string {
	if address == "" {
		return "somebody who cannot be told"
	}
	return address
}

// mergeProtected is mergeHeaders for content with protected fields: these are what the author wrote. A From stays as
// it is outside where it names somebody else, because no verdict is known yet (RFC 9788 4.4.3), and traces stay.
func mergeProtected(outer, inner *Header) *Header {
	merged := &Header{end: "\r\n"}
	keepFrom := false
	if from := authorOf(outer); from.Address != "" {
		protected := authorOf(inner)
		keepFrom = protected.Address == "" || !sameMailbox(protected.Address, from.Address)
	}
	for _, field := range outer.Fields {
		name := strings.ToLower(field.Name)
		isFrom := name == "from" && keepFrom
		if field.isContent() || name == "hp-outer" || !isFrom && (hasField(inner.Fields, name) || slices.Contains(userFacing, name)) {
			continue
		}
		merged.Fields = append(merged.Fields, field)
	}
	for _, field := range withoutClaim(inner.Fields) {
		if field.Is("From") && keepFrom {
			continue
		}
		merged.Fields = append(merged.Fields, field)
	}
	for i := range merged.Fields {
		merged.Fields[i].raw = canonicalLines(merged.Fields[i].raw)
	}
	return merged
}
