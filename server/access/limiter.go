package access

import (
	"container/list"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"chancery.example/fault"
)

// Door is something that people can trigger and that is limited by itself.
type Door string

// The doors that anybody can knock at. Keys are the client's (Client.Key) unless it says otherwise.
const (
	DoorOrder   Door = "order"   // placing an order
	DoorMail    Door = "mail"    // having a mail sent; the key is the mailbox that gets it
	DoorLink    Door = "link"    // opening a link, good or bad
	DoorPickup  Door = "pickup"  // having a key made
	DoorSearch  Door = "search"  // looking something up
	DoorSignIn  Door = "sign-in" // trying to sign in; Access takes it by itself
	DoorAccount Door = "account" // trying to sign in; the key is the typed address; Access takes it by itself
)

// Limit is how often a door may be used: Burst times at once, then once in Every. The first two count each key by
// itself, the last two all of them together.
type Limit struct {
	Burst    int
	Every    time.Duration
	AllBurst int // 0: no common limit
	AllEvery time.Duration
}

// DefaultLimits are limits that nobody meets who uses the portal by hand.
func DefaultLimits() map[Door]Limit {
	return map[Door]Limit{
		DoorOrder:   {Burst: 10, Every: time.Minute, AllBurst: 500, AllEvery: 200 * time.Millisecond},
		DoorMail:    {Burst: 5, Every: 10 * time.Minute, AllBurst: 500, AllEvery: 200 * time.Millisecond},
		DoorLink:    {Burst: 120, Every: time.Second, AllBurst: 5000, AllEvery: time.Millisecond},
		DoorPickup:  {Burst: 10, Every: 30 * time.Second, AllBurst: 200, AllEvery: 20 * time.Millisecond},
		DoorSearch:  {Burst: 30, Every: 2 * time.Second, AllBurst: 1000, AllEvery: 5 * time.Millisecond},
		DoorSignIn:  {Burst: 30, Every: 5 * time.Second},
		DoorAccount: {Burst: 6, Every: 30 * time.Second},
	}
}

// maxKeys bounds how many keys a door remembers. The one that knocked longest ago is forgotten first; who has so many
// addresses that they push out each other still meets the common limit.
const maxKeys = 1 << 14

// Limiter counts how often doors are used, in memory and for this node. It is safe for concurrent use.
type Limiter struct {
	now    func() time.Time
	limits map[Door]Limit
	mu     sync.Mutex
	doors  map[Door]*door
}

// door is the counters of one door.
type door struct {
	limit Limit
	all   *rate.Limiter // nil without a common limit
	keys  map[string]*list.Element
	order *list.List // of *counter, the latest first
}

type counter struct {
	key string
	*rate.Limiter
}

// NewLimiter makes a limiter; doors without a limit are open. now is the clock; nil for time.Now.
func NewLimiter(limits map[Door]Limit, now func() time.Time) *Limiter {
	if now == nil {
		now = time.Now
	}
	l := &Limiter{now: now, limits: limits, doors: map[Door]*door{}}
	for name, limit := range limits {
		d := &door{limit: limit, keys: map[string]*list.Element{}, order: list.New()}
		if limit.AllBurst > 0 {
			d.all = rate.NewLimiter(rate.Every(limit.AllEvery), limit.AllBurst)
		}
		l.doors[name] = d
	}
	return l
}

// Take asks for one go at a door for a key. It is fault.Limited when there is none left; RetryAfter says for how long.
func (l *Limiter) Take(name Door, key string) error {
	d, ok := l.doors[name]
	if !ok {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	mine, wait := reserve(d.counter(key).Limiter, now)
	if wait > 0 {
		return limited(name, wait)
	}
	if d.all != nil {
		if _, wait := reserve(d.all, now); wait > 0 {
			mine.CancelAt(now)
			return limited(name, wait)
		}
	}
	return nil
}

// Forget gives a key all its goes back, for whoever proved to be no guesser.
func (l *Limiter) Forget(name Door, key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d := l.doors[name]; d != nil && d.keys[key] != nil {
		d.order.Remove(d.keys[key])
		delete(d.keys, key)
	}
}

// counter finds or makes a key's counter and marks it as the latest used.
func (d *door) counter(key string) *counter {
	if e, ok := d.keys[key]; ok {
		d.order.MoveToFront(e)
		return e.Value.(*counter)
	}
	if d.order.Len() >= maxKeys {
		oldest := d.order.Back()
		delete(d.keys, oldest.Value.(*counter).key)
		d.order.Remove(oldest)
	}
	c := &counter{key: key, Limiter: rate.NewLimiter(rate.Every(d.limit.Every), d.limit.Burst)}
	d.keys[key] = d.order.PushFront(c)
	return c
}

// reserve takes one go now, or none and says how long to wait.
func reserve(l *rate.Limiter, now time.Time) (*rate.Reservation, time.Duration) {
	r := l.ReserveN(now, 1)
	if !r.OK() {
		return r, time.Hour
	}
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return r, wait
}

const retryAfter = "retry-after"

func limited(d Door, wait time.Duration) error {
	seconds := int((wait + time.Second - 1) / time.Second)
	return fault.New(fault.Limited, "limit."+string(d), "That was too often. Please wait %s and try again.", inWords(seconds)).
		With(retryAfter, strconv.Itoa(seconds))
}

func inWords(seconds int) string {
	switch {
	case seconds == 1:
		return "a second"
	case seconds <= 90:
		return fmt.Sprintf("%d seconds", seconds)
	}
	return fmt.Sprintf("%d minutes", (seconds+59)/60)
}

// RetryAfter is how long to wait, in whole seconds, from a fault.Limited, for the Retry-After header (RFC 9110
// 10.2.3); 0 where err says nothing of it.
func RetryAfter(err error) int {
	if e := (*fault.Error)(nil); errors.As(err, &e) {
		n, _ := strconv.Atoi(e.Args[retryAfter])
		return n
	}
	return 0
}
