package status

import (
	"slices"
	"sync"
	"time"

	"chancery.example/ca/issuance"
)

// Bounds of what is kept ready beside Options.MaxAnswers.
const (
	maxKeptRequest  = 256 // octets of a request whose answer is kept; the usual ones have 70 to 120
	maxKeptVariants = 4   // requests about the same certificate, which differ in how they name it
)

// answers keeps signed answers ready, by the exact octets of the request: a client must find its CertID repeated as
// it wrote it, and the same octets need not be parsed again. An answer leaves when its certificate is revoked, when
// it is to be refreshed, or when there is no room.
type answers struct {
	most int

	mu       sync.RWMutex
	turn     uint64 // counts what was forgotten, so that no answer is kept that was made from facts before
	ready    map[string]readyAnswer
	requests map[certificate][]string // the keys of ready, by what they are about
}

// certificate names one.
type certificate struct {
	issuer string
	serial issuance.Serial
}

type readyAnswer struct {
	Answer
	about certificate
}

func newAnswers(most int) *answers {
	return &answers{most: most, ready: map[string]readyAnswer{}, requests: map[certificate][]string{}}
}

// get returns the answer that is ready for a request.
func (k *answers) get(request []byte, now time.Time) (Answer, bool) {
	k.mu.RLock()
	r, ok := k.ready[string(request)]
	k.mu.RUnlock()
	if !ok || !now.Before(r.Refresh) {
		return Answer{}, false
	}
	return r.Answer, true
}

// generation is to be read before the facts of an answer are, and handed to keep.
func (k *answers) generation() uint64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.turn
}

// keep holds an answer ready, unless anything was forgotten since the generation was read.
func (k *answers) keep(request []byte, issuer string, s issuance.Serial, generation uint64, a Answer) {
	if len(request) > maxKeptRequest {
		return
	}
	about := certificate{issuer, s}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.turn != generation {
		return
	}
	key := string(request)
	if _, replaced := k.ready[key]; !replaced {
		for len(k.ready) >= k.most {
			for old := range k.ready { // any one: the order of a map is as good as chance
				k.remove(old)
				break
			}
		}
		if variants := k.requests[about]; len(variants) >= maxKeptVariants {
			k.remove(variants[0])
		}
		k.requests[about] = append(k.requests[about], key)
	}
	k.ready[key] = readyAnswer{Answer: a, about: about}
}

// forget drops what is kept about a certificate: it was revoked.
func (k *answers) forget(issuer string, s issuance.Serial) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.turn++
	for _, key := range k.requests[certificate{issuer, s}] {
		delete(k.ready, key)
	}
	delete(k.requests, certificate{issuer, s})
}

// remove drops one answer. k.mu is held.
func (k *answers) remove(key string) {
	about := k.ready[key].about
	delete(k.ready, key)
	left := slices.DeleteFunc(k.requests[about], func(s string) bool { return s == key })
	if len(left) == 0 {
		delete(k.requests, about)
		return
	}
	k.requests[about] = left
}
