package app

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// meters counts what happens at the doors, and reads the rest from the ledger when it is scraped.
type meters struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

func newMeters(h *House) *meters {
	m := &meters{registry: prometheus.NewRegistry(), requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "chancery_http_request_duration_seconds", Help: "Requests at the doors, by door and status.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
	}, []string{"door", "status"})}
	m.registry.MustRegister(m.requests, &census{house: h}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *meters) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Observe counts a request of the public door (public.Observer).
func (m *meters) Observe(what string, status int, d time.Duration) {
	m.requests.WithLabelValues("public-"+what, strconv.Itoa(status)).Observe(d.Seconds())
}

// watch counts the requests of a door.
func (m *meters) watch(door string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, seen := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			m.requests.WithLabelValues(door, strconv.Itoa(seen.status)).Observe(time.Since(began).Seconds())
		}()
		next.ServeHTTP(seen, r)
	})
}

// statusWriter remembers the status that was written.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(s int) { w.status = s; w.ResponseWriter.WriteHeader(s) }

// Unwrap lets http.ResponseController reach the writer below.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// census is the ledger's figures as metrics.
type census struct{ house *House }

var (
	ordersDesc  = prometheus.NewDesc("chancery_orders", "Orders by state.", []string{"state"}, nil)
	certsDesc   = prometheus.NewDesc("chancery_certificates", "Certificates of subscribers by status.", []string{"status"}, nil)
	mailsDesc   = prometheus.NewDesc("chancery_mails", "Mails of the last 30 days that wait or failed.", []string{"state"}, nil)
	jobsDesc    = prometheus.NewDesc("chancery_jobs", "Jobs that are due, and those given up in the last 30 days.", []string{"state"}, nil)
	crlDesc     = prometheus.NewDesc("chancery_crl_next_update_seconds", "Unix time at which a revocation list ends.", []string{"issuer"}, nil)
	commitsDesc = prometheus.NewDesc("chancery_ledger_commits_total", "Database transactions committed.", nil, nil)
	unitsDesc   = prometheus.NewDesc("chancery_ledger_units_total", "Steps stored by them.", nil, nil)
)

func (c *census) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{ordersDesc, certsDesc, mailsDesc, jobsDesc, crlDesc, commitsDesc, unitsDesc} {
		ch <- d
	}
}

func (c *census) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, l := range c.house.Status.Lists() {
		if l.Number > 0 {
			gauge(crlDesc, float64(l.NextUpdate.Unix()), l.Issuer)
		}
	}
	s := c.house.Store.Stats()
	ch <- prometheus.MustNewConstMetric(commitsDesc, prometheus.CounterValue, float64(s.Commits))
	ch <- prometheus.MustNewConstMetric(unitsDesc, prometheus.CounterValue, float64(s.Units))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	count, err := c.house.Store.Census(ctx, c.house.clock())
	if err != nil {
		c.house.log.ErrorContext(ctx, "the figures for monitoring cannot be read", "err", err)
		return
	}
	for state, n := range count.Orders {
		gauge(ordersDesc, float64(n), string(state))
	}
	gauge(certsDesc, float64(count.Valid), "valid")
	gauge(certsDesc, float64(count.Revoked), "revoked")
	gauge(certsDesc, float64(count.Ended), "ended")
	gauge(mailsDesc, float64(count.MailsWaiting), "waiting")
	gauge(mailsDesc, float64(count.MailsFailed), "failed")
	gauge(jobsDesc, float64(count.JobsWaiting), "waiting")
	gauge(jobsDesc, float64(count.JobsFailed), "failed")
}
