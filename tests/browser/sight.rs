//! How it looks and feels: on a phone, in the dark, in Chinese, by keyboard, with much to show.

use fantoccini::Locator;
use fantoccini::key::Key;

use crate::chromium::Browser;
use crate::client::Served;
use crate::support::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_in_the_dark_and_in_chinese_nothing_is_cut_off() {
    let served = Served::new("mysql").await;
    served.site.task(5, ("mysql", "source"), ("postgres", "target"), "").await;
    let page = Browser::signed_in_on_a_phone(&served).await;
    page.click("language").await;
    for (place, word) in
        [("#/", "总览"), ("#/tasks", "任务"), ("#/dead", "死信"), ("#/workers", "工作进程")]
    {
        page.go(place).await;
        eventually(word, || async { page.text().await.contains(word) }).await;
        let beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(page.number(beyond).await, 0, "{place}: it must be scrolled sideways");
    }
    page.go("#/").await;
    page.see("tile-running").await;
    page.picture("phone").await;
    page.close().await;
    served.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_tasks_are_paged_searched_and_walked_by_keyboard() {
    let served = Served::new("mysql").await;
    served
        .site
        .my("INSERT INTO task_def_sync_manager (from_app, from_db_type, from_db, from_table, to_app, \
             to_db_type, to_db, to_table, params, online_status, task_desc, create_time, update_time) \
             SELECT 'app', 'mysql', 'db', CONCAT('table_', seq), 'app', 'postgres', 'db', \
             CONCAT('copy_', seq), '', 1, 'nightly', NOW(), NOW() FROM seq_1_to_10000")
        .await;
    let page = Browser::signed_in(&served).await;
    let body = page.client.find(Locator::Css("body")).await.unwrap();
    body.send_keys("gt").await.unwrap();
    let rows = "document.querySelectorAll('[data-testid^=task-row-]').length";
    eventually("a page of tasks", || async { (1..=100).contains(&page.number(rows).await) }).await;
    page.picture("tasks").await;
    let body = page.client.find(Locator::Css("body")).await.unwrap();
    body.send_keys("/").await.unwrap();
    let focused = page.client.active_element().await.unwrap();
    assert_eq!(focused.attr("data-testid").await.unwrap().as_deref(), Some("search"));
    focused.send_keys("table_9999").await.unwrap();
    eventually("the one that was searched for", || async { page.number(rows).await == 1 }).await;
    page.reads("task-row-9999", "table_9999").await;
    // Half-typed text stays while the list is refreshed.
    focused.send_keys(&Key::Escape.to_string()).await.unwrap();
    page.close().await;
    served.remove().await;
}
