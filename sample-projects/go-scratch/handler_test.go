package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func request(method, path, body string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	newHandler().ServeHTTP(recorder, httptest.NewRequest(method, path, strings.NewReader(body)))
	return recorder
}

func TestDigests(t *testing.T) {
	recorder := request(http.MethodPost, "/digests", "abc")
	want := `"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`
	if recorder.Code != http.StatusOK || !strings.Contains(recorder.Body.String(), want) {
		t.Errorf("got %d %s", recorder.Code, recorder.Body)
	}
}

func TestOnlyPost(t *testing.T) {
	if recorder := request(http.MethodGet, "/digests", ""); recorder.Code != http.StatusMethodNotAllowed {
		t.Errorf("got %d", recorder.Code)
	}
}

func TestHealthcheck(t *testing.T) {
	server := httptest.NewServer(newHandler())
	defer server.Close()
	if err := healthcheck(server.URL + "/healthz"); err != nil {
		t.Error(err)
	}
	if err := healthcheck(server.URL + "/nothing"); err == nil {
		t.Error("a missing page is not healthy")
	}
}
