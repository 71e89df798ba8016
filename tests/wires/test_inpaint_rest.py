from __future__ import annotations
from tests.wires.serving import Live
from tests.wires import pictures
def test_root(inpaint: Live) -> None:
    assert inpaint.get("/").json()["status"] == "running"
    r = inpaint.post("/api/v1/inpaint-regions", pictures.order())
    print(r.status_code, r.headers)
    r = inpaint.post("/api/v1/inpaint-regions-json", pictures.order())
    print(r.status_code, r.json())
    r = inpaint.post("/api/v1/inpaint-regions-async", pictures.order())
    print(r.status_code, r.json())
    print(inpaint.ended(r.json()["task_id"]))
    with inpaint.socket("/api/v1/ws/progress/"+r.json()["task_id"]) as t:
        print(t.hear_until("task_completed"))
    for p in ["health","model","info","tasks"]: print(inpaint.get("/api/v1/"+p).json())
