package lint

import (
	"strings"

	"chancery.example/mailbox"
)

// ruleUTF8Mailbox is about which of the two forms an address has, and about its domain.
var ruleUTF8Mailbox = rule{
	id: "BR-050", citation: "SBR 7.1.4.2.1, RFC 9598 3", kinds: Subscriber, from: compliance,
	check: func(v *view) {
		names, _ := v.names()
		for _, n := range names {
			if n.text == "" {
				continue
			}
			m, err := mailbox.Parse(n.text)
			if err != nil || m.String() != n.text && (n.tag != tagRFC822Name || !strings.EqualFold(m.String(), n.text)) {
				v.fail("%q is no mailbox in the form that certificates have: write it bare, with its domain in lower-case A-labels.", n.text)
				continue
			}
			if m.ASCII() != (n.tag == tagRFC822Name) {
				v.fail("%q stands in the wrong form: a local part of ASCII is an rfc822Name, any other a SmtpUTF8Mailbox.", n.text)
			}
		}
	},
}
