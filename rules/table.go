package rules

import "time"

// Keys of validity periods.
const (
	MaxValidityLegacy       Period = "validity.max.legacy"
	MaxValidityMultipurpose Period = "validity.max.multipurpose"
	MaxValidityStrict       Period = "validity.max.strict"
	// DefaultValidity is what a subscriber certificate gets when nobody says otherwise.
	DefaultValidity Period = "validity.default"
	// RootValidity, IssuingValidity and ResponderValidity are the house's defaults for its own certificates.
	RootValidity      Period = "validity.root"
	IssuingValidity   Period = "validity.issuing"
	ResponderValidity Period = "validity.responder"
)

// Keys of evidence: how long a finished validation may be used again, measured to the moment of issuance.
const (
	DomainEvidenceReuse       Period = "reuse.domain"         // M1, authority over the domain part
	MailboxEvidenceReuse      Period = "reuse.mailbox"        // M2, random value by mail
	MailServerEvidenceReuse   Period = "reuse.mail-server"    // M3, operator of the mail server
	ACMEEvidenceReuse         Period = "reuse.acme"           // M4, RFC 8823
	PersistentTXTReuse        Period = "reuse.persistent-txt" // TLS method .22
	OrganisationEvidenceReuse Period = "reuse.organisation"
	IndividualEvidenceReuse   Period = "reuse.individual"
	AuthorityEvidenceReuse    Period = "reuse.authority"
	CAADecisionLife           Period = "caa.decision" // the record's TTL where that is longer
	CAARemoteReuse            Period = "caa.remote-reuse"
)

// Keys of random values.
const (
	DomainRandomValueLife     Period = "random-value.life.domain"
	MailboxRandomValueLife    Period = "random-value.life.mailbox"
	MailServerRandomValueLife Period = "random-value.life.mail-server"
	ACMETokenLife             Period = "random-value.life.acme"
	RandomValueBits           Amount = "random-value.bits"
	ACMETokenBits             Amount = "random-value.bits.acme"
	// PickUpWindow is how long an approved order waits for its holder.
	PickUpWindow Period = "order.pick-up"
	// OrderWindow is how long an order waits for its mailbox to confirm, with as many mails as that takes.
	OrderWindow Period = "order.window"
	// PickUpLinkLife is how long one pick-up link may be followed; a new one can always be sent.
	PickUpLinkLife Period = "order.pick-up-link"
)

// Keys of CRLs and OCSP answers.
const (
	LeafCRLInterval     Period = "crl.leaf.interval"
	LeafCRLSpan         Period = "crl.leaf.span" // nextUpdate - thisUpdate
	CACRLInterval       Period = "crl.ca.interval"
	CACRLSpan           Period = "crl.ca.span"
	CACRLAfterRevoke    Period = "crl.ca.after-revocation"
	OCSPShortest        Period = "ocsp.validity.min"
	OCSPLongest         Period = "ocsp.validity.max"
	OCSPLongLived       Period = "ocsp.long-lived"     // answers at least this long follow the next two rules
	OCSPRefreshBefore   Period = "ocsp.refresh.before" // at the latest this long before nextUpdate
	OCSPRefreshAfter    Period = "ocsp.refresh.after"  // and at the latest this long after thisUpdate
	CAOCSPInterval      Period = "ocsp.ca.interval"    // answers about CA certificates
	CAOCSPAfterRevoke   Period = "ocsp.ca.after-revocation"
	StatusResponseTime  Period = "status.response-time" // of CRL and OCSP services
	RevokeUrgent        Period = "revocation.urgent"
	RevokeOrdinary      Period = "revocation.ordinary"
	RevokeCA            Period = "revocation.ca"
	ProblemReportAnswer Period = "revocation.problem-report"
)

// Keys of keys and serial numbers.
const (
	LeafRSABits       Amount = "key.rsa.leaf"
	CARSABits         Amount = "key.rsa.ca"          // in a CA certificate signed on that day
	LeafIssuerRSABits Amount = "key.rsa.leaf-issuer" // of the CA key that signs a subscriber certificate
	RSAMostBits       Amount = "key.rsa.most"
	RSABitsMultiple   Amount = "key.rsa.multiple"
	SerialRandomBits  Amount = "serial.random-bits"
	SerialMostBits    Amount = "serial.most-bits"
	HouseSerialBits   Amount = "serial.house-bits"
	DeliveryStrength  Amount = "delivery.strength" // of the protection of a private key on its way
)

// Keys of rules that begin or end on a day, and of assurance.
const (
	LegacyIssuance      Switch = "legacy.issuance" // on: the Legacy generation may be issued
	LintRecommended     Switch = "lint.recommended"
	LintRequired        Switch = "lint.required"
	CAARequired         Switch = "caa.required"
	DNSSECRequired      Switch = "dnssec.required"
	MPICRequired        Switch = "mpic.required"
	MPICQuorumEnforced  Switch = "mpic.quorum"
	MPICRegionsRequired Switch = "mpic.regions"
	MPICRemotes         Amount = "mpic.remotes"
	MPICDissentFew      Amount = "mpic.dissent.few"  // of 2 to 5 remotes
	MPICDissentMany     Amount = "mpic.dissent.many" // of 6 and more
	SelfAuditInterval   Period = "self-audit.interval"
	SelfAuditLeast      Amount = "self-audit.least"
	SelfAuditShare      Amount = "self-audit.share"
	RecordRetention     Period = "records.retention"
	CPSReview           Period = "cps.review"
)

// day is midnight UTC, the moment from which a requirement with that compliance date binds.
func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// always makes the one row of a figure that never changed since there are rules.
func always[K Key](key K, value int64, unit Unit, citation string) Figure {
	return Figure{Key: string(key), Value: value, Unit: unit, Citation: citation}
}

// until and from make the rows of a figure that changes on a day.
func until[K Key](key K, value int64, unit Unit, end time.Time, citation string) Figure {
	return Figure{Key: string(key), Value: value, Unit: unit, Citation: citation, Until: end}
}

func from[K Key](key K, value int64, unit Unit, start time.Time, citation string) Figure {
	return Figure{Key: string(key), Value: value, Unit: unit, Citation: citation, From: start}
}

func between[K Key](key K, value int64, unit Unit, start, end time.Time, citation string) Figure {
	return Figure{Key: string(key), Value: value, Unit: unit, Citation: citation, From: start, Until: end}
}

// table is every figure. It is data: to change a number, end its row on the day and begin a new one.
var table = []Figure{
	// Validity, inclusive of both ends.
	always(MaxValidityLegacy, 1185, Days, "SBR 6.3.2, BR-006"),
	always(MaxValidityMultipurpose, 825, Days, "SBR 6.3.2, BR-006"),
	always(MaxValidityStrict, 825, Days, "SBR 6.3.2, BR-006"),
	always(DefaultValidity, 730, Days, "house rule: two years, well below the maximum (SBR 6.3.2, BR-007)"),
	always(RootValidity, 20*365, Days, "house rule: as long as mail signed today may have to be checked"),
	always(IssuingValidity, 10*365, Days, "house rule: half of the root's, so that two issuing CAs follow each other under one root"),
	always(ResponderValidity, 30, Days, "house rule: short, because a responder certificate with id-pkix-ocsp-nocheck cannot be revoked (RFC 6960 4.2.2.2.1)"),

	// Evidence.
	always(DomainEvidenceReuse, 398, Days, "SBR 4.2.1, BR-064"),
	always(MailboxEvidenceReuse, 30, Days, "SBR 4.2.1, BR-064"),
	always(MailServerEvidenceReuse, 398, Days, "SBR 4.2.1, BR-064"),
	always(ACMEEvidenceReuse, 30, Days, "house rule: the SBR are silent for 3.2.2.4, so as for 3.2.2.2 (BR-064)"),
	always(PersistentTXTReuse, 10, Days, "TLS BR 3.2.2.4.22; the shorter of two readings"),
	always(OrganisationEvidenceReuse, 825, Days, "SBR 4.2.1, BR-088"),
	always(IndividualEvidenceReuse, 825, Days, "SBR 4.2.1, BR-098"),
	always(AuthorityEvidenceReuse, 825, Days, "SBR 4.2.1, BR-102"),
	always(CAADecisionLife, 8, Hours, "SBR 4.2.2.1, BR-073"),
	always(CAARemoteReuse, 398, Days, "TLS BR 3.2.2.9"),

	// Random values.
	always(DomainRandomValueLife, 30, Days, "SBR 3.2.2.1 by TLS BR 3.2.2.4"),
	always(MailboxRandomValueLife, 24, Hours, "SBR 3.2.2.2, BR-056"),
	always(MailServerRandomValueLife, 30, Days, "SBR 3.2.2.3 by TLS BR 3.2.2.4"),
	always(ACMETokenLife, 24, Hours, "SBR 3.2.2.4, BR-062"),
	always(RandomValueBits, 112, Bits, "SBR 1.6.1, BR-054"),
	always(ACMETokenBits, 128, Bits, "RFC 8823 3, BR-062"),
	always(OrderWindow, 30, Days, "house rule: as long as mailbox evidence may be used (SBR 4.2.1)"),
	always(PickUpLinkLife, 72, Hours, "house rule: over a weekend; no secret lies behind it"),
	always(PickUpWindow, 30, Days, "house rule: as long as mailbox evidence may be used (SBR 4.2.1)"),

	// Status.
	always(LeafCRLInterval, 7, Days, "SBR 4.9.7, BR-127"),
	always(LeafCRLSpan, 10, Days, "SBR 4.9.7, BR-127"),
	always(CACRLInterval, 365, Days, "SBR 4.9.7, BR-128: 12 months"),
	always(CACRLSpan, 365, Days, "SBR 4.9.7, BR-128: 12 months"),
	always(CACRLAfterRevoke, 24, Hours, "SBR 4.9.7, BR-128"),
	always(OCSPShortest, 8, Hours, "SBR 4.9.10, BR-130"),
	always(OCSPLongest, 10, Days, "SBR 4.9.10, BR-130"),
	always(OCSPLongLived, 16, Hours, "SBR 4.9.10, BR-130"),
	always(OCSPRefreshBefore, 8, Hours, "SBR 4.9.10, BR-130"),
	always(OCSPRefreshAfter, 4, Days, "SBR 4.9.10, BR-130"),
	always(CAOCSPInterval, 365, Days, "SBR 4.9.10, BR-130: 12 months"),
	always(CAOCSPAfterRevoke, 24, Hours, "SBR 4.9.10, BR-130"),
	always(StatusResponseTime, 10, Seconds, "SBR 4.10.2, BR-133"),
	always(RevokeUrgent, 24, Hours, "SBR 4.9.1.1, BR-120"),
	always(RevokeOrdinary, 5, Days, "SBR 4.9.1.1, BR-120"),
	always(RevokeCA, 7, Days, "SBR 4.9.1.2, BR-120"),
	always(ProblemReportAnswer, 24, Hours, "SBR 4.9.5, BR-121"),

	// Keys and serial numbers.
	always(LeafRSABits, 2048, Bits, "SBR 6.1.5, BR-027"),
	until(CARSABits, 2048, Bits, day(2026, 9, 15), "SBR 6.1.5"),
	from(CARSABits, 4096, Bits, day(2026, 9, 15), "SBR 6.1.5 (1.0.15), BR-112"),
	until(LeafIssuerRSABits, 2048, Bits, day(2027, 9, 15), "SBR 6.1.5"),
	from(LeafIssuerRSABits, 3072, Bits, day(2027, 9, 15), "SBR 6.1.5 (1.0.15), BR-113"),
	always(RSAMostBits, 4096, Bits, "house rule: larger keys cost every reader time, and many mail clients cannot use them"),
	always(RSABitsMultiple, 8, Bits, "SBR 6.1.5, BR-027"),
	always(SerialRandomBits, 64, Bits, "SBR 7.1, BR-009"),
	always(SerialMostBits, 159, Bits, "SBR 7.1, BR-009"),
	always(HouseSerialBits, 128, Bits, "house rule: twice what SBR 7.1 asks for"),
	always(DeliveryStrength, 112, Bits, "SBR 6.1.2, BR-135"),

	// Rules with a first or a last day.
	until(LegacyIssuance, 1, OnOff, day(2025, 7, 15), "SBR 7.1.6.1"),
	from(LegacyIssuance, 0, OnOff, day(2025, 7, 15), "SBR 7.1.6.1, BR-002"),
	until(LintRecommended, 0, OnOff, day(2025, 3, 15), "SBR 4.3.1.2"),
	from(LintRecommended, 1, OnOff, day(2025, 3, 15), "SBR 4.3.1.2, BR-107"),
	until(LintRequired, 0, OnOff, day(2025, 9, 15), "SBR 4.3.1.2"),
	from(LintRequired, 1, OnOff, day(2025, 9, 15), "SBR 4.3.1.2, BR-107"),
	until(CAARequired, 0, OnOff, day(2025, 3, 15), "SBR 4.2.2.1"),
	from(CAARequired, 1, OnOff, day(2025, 3, 15), "SBR 4.2.2.1, BR-071"),
	until(DNSSECRequired, 0, OnOff, day(2026, 3, 15), "SBR 4.2.2.1.1"),
	from(DNSSECRequired, 1, OnOff, day(2026, 3, 15), "SBR 4.2.2.1.1, BR-075"),
	until(MPICRequired, 0, OnOff, day(2025, 5, 15), "SBR 4.2.2.2"),
	from(MPICRequired, 1, OnOff, day(2025, 5, 15), "SBR 4.2.2.2, BR-078"),
	until(MPICQuorumEnforced, 0, OnOff, day(2025, 9, 15), "TLS BR 3.2.2.9"),
	from(MPICQuorumEnforced, 1, OnOff, day(2025, 9, 15), "TLS BR 3.2.2.9, BR-079"),
	until(MPICRegionsRequired, 0, OnOff, day(2026, 3, 15), "TLS BR 3.2.2.9"),
	from(MPICRegionsRequired, 1, OnOff, day(2026, 3, 15), "TLS BR 3.2.2.9, BR-079"),
	until(MPICRemotes, 0, Count, day(2025, 5, 15), "SBR 4.2.2.2"),
	between(MPICRemotes, 2, Count, day(2025, 5, 15), day(2026, 3, 15), "TLS BR 3.2.2.9, BR-078"),
	between(MPICRemotes, 3, Count, day(2026, 3, 15), day(2026, 6, 15), "TLS BR 3.2.2.9, BR-078"),
	between(MPICRemotes, 4, Count, day(2026, 6, 15), day(2026, 12, 15), "TLS BR 3.2.2.9, BR-078"),
	from(MPICRemotes, 5, Count, day(2026, 12, 15), "TLS BR 3.2.2.9, BR-078"),
	always(MPICDissentFew, 1, Count, "TLS BR 3.2.2.9, BR-079"),
	always(MPICDissentMany, 2, Count, "TLS BR 3.2.2.9, BR-079"),

	// Assurance.
	always(SelfAuditInterval, 90, Days, "SBR 8.7, BR-145: quarterly"),
	always(SelfAuditLeast, 30, Count, "SBR 8.7, BR-145"),
	always(SelfAuditShare, 3, Percent, "SBR 8.7, BR-145"),
	always(RecordRetention, 731, Days, "SBR 5.4.3, BR-143: two years, with a leap day"),
	always(CPSReview, 365, Days, "SBR 2.3, BR-147"),
}
