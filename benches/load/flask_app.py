"""The list page as a small Flask app has it: items from SQLite through a template. Only for comparison."""

import sqlite3

from flask import Flask, g, render_template

app = Flask(__name__, template_folder=".")
SECTIONS = (("todo", "To Do"), ("doing", "Doing"), ("done", "Done"))


def database():
    """The connection of this request."""
    if "database" not in g:
        g.database = sqlite3.connect("/tmp/todo.db")
        g.database.row_factory = sqlite3.Row
    return g.database


@app.teardown_appcontext
def close(_error):
    if connection := g.pop("database", None):
        connection.close()


@app.get("/")
def index():
    counts = dict(database().execute("select status, count(*) from items group by status"))
    sections = [
        {
            "status": status,
            "label": label,
            "count": counts.get(status, 0),
            "items": database()
            .execute("select * from items where status = ? order by position limit 31", (status,))
            .fetchall(),
        }
        for status, label in SECTIONS
    ]
    return render_template("flask_page.html", sections=sections)


def fill(number):
    """Makes the table with this many items."""
    with sqlite3.connect("/tmp/todo.db") as connection:
        connection.execute("create table items (id, title, description, due, status, position)")
        connection.execute("create index items_by_status on items (status, position)")
        items = [
            (f"0190c0de-0000-7000-8000-{at:012}", f"Item {at} of the list", "Two lines of it", "2030-01-31", "todo", at)
            for at in range(number)
        ]
        connection.executemany("insert into items values (?, ?, ?, ?, ?, ?)", items)


if __name__ == "__main__":
    fill(10)
