package status

import (
	"slices"
	"strings"

	"chancery.example/fault"
)

// reasonNames are the stable names of the reasons in the API, on the command line and in message catalogues.
var reasonNames = map[Reason]string{
	Unspecified:          "unspecified",
	KeyCompromise:        "key-compromise",
	CACompromise:         "ca-compromise",
	AffiliationChanged:   "affiliation-changed",
	Superseded:           "superseded",
	CessationOfOperation: "cessation-of-operation",
	PrivilegeWithdrawn:   "privilege-withdrawn",
}

// refusedReasons are the values of RFC 5280 5.3.1 that this house never uses, each with what to do instead.
var refusedReasons = map[string]string{
	"certificatehold": "A certificate cannot be put on hold here: a revocation is for good. Revoke it and order a new one.",
	"removefromcrl":   "A revocation cannot be taken back. Order a new certificate.",
	"aacompromise":    "The reason aACompromise is for attribute authorities, which this house does not run.",
}

// String is the stable name: "key-compromise". For a code that the house does not use it is "unspecified".
func (r Reason) String() string {
	if n, ok := reasonNames[r]; ok {
		return n
	}
	return reasonNames[Unspecified]
}

// ParseReason reads a stable name ("key-compromise") or the name of RFC 5280 5.3.1 ("keyCompromise"), in either case.
// Reasons that the house never uses (certificateHold: SBR 4.9.13, BR-125) are fault.Refused, all else fault.Invalid.
func ParseReason(s string) (Reason, error) {
	plain := strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(s))
	for r, name := range reasonNames {
		if strings.ReplaceAll(name, "-", "") == plain {
			return r, nil
		}
	}
	if say, ok := refusedReasons[plain]; ok {
		return Unspecified, fault.New(fault.Refused, "reason.refused", "%s", say)
	}
	return Unspecified, fault.New(fault.Invalid, "reason.unknown", "That is not a reason for a revocation. Use one of: %s.",
		strings.Join(Names(Specialist), ", "))
}

// Revoker is who asks for a revocation.
type Revoker uint8

// Who may ask for a revocation, in the order of what they may say.
const (
	Subscriber Revoker = iota // the holder, from the status page
	Specialist                // a specialist or administrator
	House                     // the house itself: a job, a rule
)

// permitted lists the reasons, most usual first. Privilege withdrawn is the CA's judgement of a subscriber, so that
// only the house's people may give it.
var permitted = map[Revoker][]Reason{
	Subscriber: {Superseded, CessationOfOperation, AffiliationChanged, KeyCompromise, Unspecified},
	Specialist: {Superseded, CessationOfOperation, AffiliationChanged, KeyCompromise, PrivilegeWithdrawn, Unspecified},
	House:      {Superseded, CessationOfOperation, AffiliationChanged, KeyCompromise, PrivilegeWithdrawn, CACompromise, Unspecified},
}

// Reasons lists what somebody may give as the reason for revoking a subscriber's certificate, most usual first.
func Reasons(by Revoker) []Reason { return slices.Clone(permitted[by]) }

// Names is Reasons as stable names.
func Names(by Revoker) []string {
	var names []string
	for _, r := range permitted[by] {
		names = append(names, r.String())
	}
	return names
}

// Permit says whether somebody may give that reason; fault.Denied where not.
func Permit(by Revoker, r Reason) error {
	if slices.Contains(permitted[by], r) {
		return nil
	}
	return fault.New(fault.Denied, "reason.denied", "You cannot give this reason. Use one of: %s.", strings.Join(Names(by), ", "))
}
